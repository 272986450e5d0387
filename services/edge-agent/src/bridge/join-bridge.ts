import { readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { enrolmentNonceHeader, type NodeCredential, nodeCredentialSchema } from '@gantry/contracts';
import { delay, fullJitterMs, type Logger, messageOf } from '@gantry/kernel';
import { readCredential, writeCredential } from './credential-file.js';
import { forgetNonce, nonceFor } from './enrolment-nonce.js';

export interface JoinOptions {
  readonly name: string;
  /** Without a slash at the end. */
  readonly bridgeUrl: string;
  readonly ca: string | undefined;
  readonly dataDir: string;
  /** Empty: none; `-`: standard input. */
  readonly enrolmentTokenFile: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const fromInput = '-';
const timeoutMs = 15_000;
const maxAnswerChars = 64 * 1024;

/**
 * The credential of the node: the one that was kept, or the one that the bridge gives for the enrolment token. The
 * bridge may be away; a refusal is final.
 * @throws {Error} when there is neither, or the bridge refuses the token
 */
export async function joinBridge(options: JoinOptions): Promise<NodeCredential> {
  const { bridgeUrl, dataDir, enrolmentTokenFile, logger, name, signal } = options;
  const token = await readToken(enrolmentTokenFile);
  const kept = await readCredential(dataDir, name);
  // A token that lies there was put there on purpose: it replaces what was kept.
  if (token === undefined) {
    if (kept !== undefined) return kept;
    throw new Error(
      `The node "${name}" is not enrolled. Run "gantry nodes enrol ${name}" where the platform is, and here what it ` +
        'prints; or put the token into a file of mode 0600, and name it with GANTRY_NODE_ENROLMENT_TOKEN_FILE.',
    );
  }
  // An answer that is lost on its way is asked for again, also by the next process: the token works once.
  const nonce = await nonceFor(dataDir, token);
  for (let attempt = 0; ; attempt += 1) {
    const answer = await redeem(options, token, nonce).catch((error: unknown) => ({
      status: 0,
      text: reasonOf(error),
    }));
    if (answer.status === 201) {
      const credential = nodeCredentialSchema.parse(JSON.parse(answer.text));
      await writeCredential(dataDir, credential);
      await forgetNonce(dataDir);
      if (enrolmentTokenFile !== fromInput) await rm(enrolmentTokenFile, { force: true });
      return credential;
    }
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
      if (kept !== undefined) {
        logger.warn('the enrolment token was refused; the credential that was kept stays', {
          status: answer.status,
        });
        return kept;
      }
      throw new Error(`The bridge refused the enrolment token of "${name}": ${detailOf(answer.text)}`);
    }
    if (attempt === 0)
      logger.warn('the bridge does not answer yet', {
        op: 'bridge.join',
        url: bridgeUrl,
        reason:
          answer.status === 0 ? answer.text : `it answered with ${answer.status}: ${detailOf(answer.text)}`,
      });
    await delay(200 + fullJitterMs(attempt, 500, 10_000), signal);
  }
}

async function readToken(path: string): Promise<string | undefined> {
  if (path === '') return undefined;
  if (path === fromInput) return (await readInput()).trim() || undefined;
  try {
    return (await readFile(path, 'utf8')).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Until its end, as a pipe gives it. */
async function readInput(): Promise<string> {
  let text = '';
  for await (const piece of process.stdin.setEncoding('utf8')) {
    text += piece as string;
    if (text.length > maxAnswerChars) throw new Error('Standard input is no enrolment token: it is too long');
  }
  return text;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function redeem(
  { bridgeUrl, ca, name, signal }: JoinOptions,
  token: string,
  nonce: string,
): Promise<Answer> {
  const url = `${bridgeUrl}/v1/nodes/${encodeURIComponent(name)}/credential`;
  const headers = { authorization: `Bearer ${token}`, [enrolmentNonceHeader]: nonce };
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  if (ca !== undefined && url.startsWith('https:')) return await postWithAuthority(url, headers, ca, limit);
  const response = await fetch(url, { method: 'POST', headers, signal: limit, redirect: 'error' });
  return { status: response.status, text: (await response.text()).slice(0, maxAnswerChars) };
}

/** `fetch` takes no authority of its own. */
function postWithAuthority(
  url: string,
  headers: Record<string, string>,
  ca: string,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', headers, ca, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < maxAnswerChars) text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}

/** `fetch` says only that it failed; why stands in its cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
  const why = [cause?.code, cause?.message].find((text) => typeof text === 'string' && text !== '');
  return (why === undefined ? messageOf(error) : `${messageOf(error)}: ${String(why)}`).slice(0, 200);
}

function detailOf(text: string): string {
  try {
    return String((JSON.parse(text) as { detail?: unknown }).detail);
  } catch {
    return text.slice(0, 200);
  }
}
