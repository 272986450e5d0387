import { GantryClient } from '@gantry/client';

/** A call that can be made again and again. */
export interface PipelineTarget {
  readonly url: string;
  readonly token: string;
  readonly body: string;
  /** The exact answer; anything else is an error. */
  readonly expectedBody: string;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Stores the sum of two numbers as a function; its parameters are padded to `sizeBytes` on the wire. */
export async function prepareTarget(
  platform: { readonly cloudUrl: string; readonly edgeUrl: string; readonly adminPassword: string },
  sizeBytes: number,
): Promise<PipelineTarget> {
  const client = new GantryClient({
    cloudUrl: platform.cloudUrl,
    credentials: { name: 'admin', password: platform.adminPassword },
  });
  const functionId = await client.uploadFunction({
    LANG: 'JS',
    FC: base64('export default (a, b) => a + b;'),
    FC_HASH: '',
    NAME: 'sum',
  });
  const requirementId = await client.createRequirement({ FLAVOUR: 'Nature' });
  const bodyWith = (padding: string) =>
    JSON.stringify([base64('20'), base64('22'), base64(JSON.stringify(padding))]);
  // Three bytes of text are four of base64.
  const missingBytes = Math.max(0, sizeBytes - bodyWith('').length);
  const body = bodyWith('x'.repeat(Math.floor((missingBytes / 4) * 3)));
  const edge = client.edge(platform.edgeUrl);
  const first = await edge.execute({ functionId, requirementId, parameters: JSON.parse(body) as string[] });
  if (first.res !== base64('42'))
    throw new Error(`The function does not answer as it should: ${JSON.stringify(first)}`);
  return {
    url: `${platform.edgeUrl}/v1/functions/${functionId}/execute?app_req_id=${requirementId}&mode=sync`,
    token: await client.authenticate(),
    body,
    expectedBody: JSON.stringify({ ret_code: 0, res: base64('42'), err: null }),
  };
}
