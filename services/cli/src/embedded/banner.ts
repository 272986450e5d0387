import colors from 'picocolors';
import type { Embedded } from './compose.js';

/** What a person reads once the platform is ready: addresses, the first password, and an example that works as it is. */
export function buildBanner(
  platform: Embedded,
  {
    password,
    passwordFile,
    afterMs,
  }: { password: string | undefined; passwordFile: string; afterMs: number },
): string {
  const { bridgeUrl, cloudUrl, edgeUrl, isolation, metricsUrl, node, warnings } = platform;
  const first =
    password === undefined
      ? []
      : [
          `  password         ${colors.bold(password)}   (account admin; shown once, kept in ${passwordFile})`,
        ];
  return [
    '',
    `${colors.green('Gantry is ready')} after ${(afterMs / 1000).toFixed(1)} s`,
    `  cloud frontend   ${cloudUrl}`,
    `  edge frontend    ${edgeUrl}`,
    `  bridge           ${bridgeUrl}${node === undefined ? '' : `   (node ${node}: gantry nodes ls)`}`,
    `  API pages        ${cloudUrl}/docs  ${edgeUrl}/docs  ${bridgeUrl}/docs`,
    `  metrics          ${metricsUrl}`,
    ...isolation.map((line) => `  isolation        ${line}`),
    ...warnings.map((line) => `  ${colors.yellow('warning')}          ${line}`),
    ...first,
    '',
    `Try it in another terminal, in this folder and with the same GANTRY_ settings: ${colors.bold('npm run demo')}, or paste:`,
    '',
    buildExample(platform, passwordFile),
    '',
    'Ctrl-C stops everything.',
  ].join('\n');
}

function buildExample({ cloudUrl, edgeUrl }: Embedded, passwordFile: string): string {
  const code = Buffer.from('export default (a, b) => a + b;').toString('base64');
  return [
    `TOKEN=$(curl -s -X POST -u "admin:$(cat ${passwordFile})" ${cloudUrl}/v1/authenticate | tr -d '"')`,
    `FN=$(curl -s -H "token: $TOKEN" -d '{"LANG":"JS","FC":"${code}","FC_HASH":""}' ${cloudUrl}/v1/daas/upload)`,
    `REQ=$(curl -s -H "token: $TOKEN" -d '{"FLAVOUR":"Nature"}' ${cloudUrl}/v1/app_requirements)`,
    `curl -s -H "token: $TOKEN" -d '["Mg==","NDA="]' "${edgeUrl}/v1/functions/$FN/execute?app_req_id=$REQ&mode=sync"`,
  ].join('\n');
}
