/** A function of an owner, ready to be called. */
import type { EdgeClient, GantryClient } from '@gantry/client';
import { isExpected, languageSubjects, type measuredLanguages } from './languages.js';

type MeasuredLanguage = (typeof measuredLanguages)[number];

export interface Target {
  /** How long one call took, in milliseconds. @throws when the answer is not the sum */
  call(): Promise<number>;
}

let variants = 0;

/** Uploads a function nobody has called yet, and a requirement for it. */
export async function newTarget(
  client: GantryClient,
  edgeUrl: string,
  options: { language: MeasuredLanguage; flavour: string; isFresh?: boolean },
): Promise<Target> {
  const { language, flavour, isFresh = false } = options;
  variants += 1;
  const subject = languageSubjects[language];
  const functionId = await client.uploadFunction({
    LANG: language,
    FC: subject.sum(`${flavour} ${variants}`),
    FC_HASH: '',
  });
  const requirementId = await client.createRequirement({
    FLAVOUR: flavour,
    ...(isFresh ? { FRESH: true } : {}),
  });
  const edge = client.edge(edgeUrl);
  const input = { functionId, requirementId, parameters: subject.parameters };
  // What the edge frontend caches of documents is not what is measured.
  await client.readFunction(functionId);
  return { call: () => callTimed(edge, input, language) };
}

async function callTimed(
  edge: EdgeClient,
  input: Parameters<EdgeClient['execute']>[0],
  language: MeasuredLanguage,
): Promise<number> {
  const startedMs = performance.now();
  const { ret_code, res, err } = await edge.execute(input);
  const elapsedMs = performance.now() - startedMs;
  if (ret_code !== 0 || !isExpected(language, res))
    throw new Error(`${language} answered ${ret_code}: ${err}`);
  return elapsedMs;
}

/** Runs a function that does not end until its deadline. @throws when it is answered otherwise */
export async function runIntoDeadline(
  client: GantryClient,
  edgeUrl: string,
  options: { language: MeasuredLanguage; flavour: string },
): Promise<void> {
  const { language, flavour } = options;
  const functionId = await client.uploadFunction({
    LANG: language,
    FC: languageSubjects[language].endless(),
    FC_HASH: '',
  });
  const requirementId = await client.createRequirement({
    FLAVOUR: flavour,
    MAX_FUNCTION_EXECUTION_TIME: 0.2,
  });
  const { err } = await client
    .edge(edgeUrl)
    .execute({ functionId, requirementId, parameters: languageSubjects[language].parameters });
  if (err?.startsWith('execution-timeout') !== true) throw new Error(`${language} was not stopped: ${err}`);
}
