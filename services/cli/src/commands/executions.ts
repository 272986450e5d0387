import type { ExecutionStatus, ExecutionView, RequirementOnWire } from '@gantry/contracts';
import { messageOf } from '@gantry/kernel';
import type { Command } from 'commander';
import type { GlobalOptions } from '../connection.js';
import { note, printResult, toTable, withProgress } from '../terminal.js';
import { countOf, numberOf, onAction, take } from './action.js';
import { encodeParameter, type Reading, readResult } from './function-values.js';
import { UsageError } from './usage-error.js';

interface CallOptions extends GlobalOptions {
  readonly flavour: string;
  readonly seconds?: string;
  readonly async?: boolean;
  readonly fresh?: boolean;
  readonly memory?: string;
  readonly scratch?: string;
  readonly resultBytes?: string;
  readonly logBytes?: string;
}

/** What the function needs, of the options that say it. */
function requirementOf(options: CallOptions): RequirementOnWire {
  const { flavour, seconds, fresh, memory, scratch, resultBytes, logBytes } = options;
  return {
    FLAVOUR: flavour,
    ...(seconds === undefined ? {} : { MAX_FUNCTION_EXECUTION_TIME: numberOf('--seconds', seconds) }),
    ...(fresh === true ? { FRESH: true } : {}),
    ...(memory === undefined ? {} : { MAX_MEMORY_MIB: countOf('--memory', memory) }),
    ...(scratch === undefined ? {} : { MAX_SCRATCH_MIB: countOf('--scratch', scratch) }),
    ...(resultBytes === undefined ? {} : { MAX_RESULT_BYTES: countOf('--result-bytes', resultBytes) }),
    ...(logBytes === undefined ? {} : { MAX_LOG_BYTES: countOf('--log-bytes', logBytes) }),
  };
}

/** `gantry call` and `gantry executions …` */
export function addExecutions(program: Command): void {
  onAction<CallOptions>(
    program
      .command('call <function> [parameters...]')
      .description(
        'Execute a JavaScript or Python function; each parameter is JSON, or else a text. ' +
          'What begins with {, [ or " has to be JSON; such a text is quoted as a JSON string: \'"{text"\'',
      )
      .option('--flavour <flavour>', 'where it runs', 'Nature')
      .option('--seconds <seconds>', 'how long it may run')
      .option('--fresh', 'in a fresh realm: nothing of an earlier call is left')
      .option('--memory <MiB>', "less memory than the flavour's limit")
      .option('--scratch <MiB>', "less scratch space than the flavour's limit")
      .option('--result-bytes <number>', "a smaller result than the flavour's limit")
      .option('--log-bytes <number>', "a shorter log than the flavour's limit")
      .option('--async', 'do not wait for the result'),
    async ({ client, edge, output }, [id = '', ...parameters], options) => {
      const functionId = numberOf('the function id', id);
      const { LANG: language } = await client.readFunction(functionId);
      // Refused before it runs, not when its result cannot be read.
      if (language === 'C')
        throw new UsageError(
          `function ${functionId} was uploaded by a C client: its parameters have types that JSON has not. ` +
            'docs/languages/c.md says how it is called',
        );
      const encoded = parameters.map((text) => encodeParameter(language, text));
      const requirementId = await client.createRequirement(requirementOf(options));
      const input = { functionId, requirementId, parameters: encoded };
      if (options.async === true) {
        const accepted = await edge.executeAsync(input);
        const next = `Read it with: npx gantry executions show ${accepted.execution_id} --wait 60`;
        printResult(output, accepted, `${accepted.execution_id}\n${next}`);
        return;
      }
      const result = await withProgress('executing', edge.execute(input));
      const { executionId, ...answer } = result;
      const shown = { ...answer, execution_id: executionId };
      if (result.ret_code !== 0) {
        if (output.isJson) printResult(output, shown, '');
        else note(result.err ?? 'the function failed');
        process.exitCode = 1;
      } else {
        const { value, text } = readResult(language, result.res, executionId);
        printResult(output, { ...shown, value }, text);
      }
      if (!output.isJson) noteExecution(executionId);
    },
  );

  const executions = program.command('executions').description('Executions of the signed-in account');
  onAction<GlobalOptions & { status?: ExecutionStatus; limit: string }>(
    executions
      .command('ls')
      .description('List executions, newest first')
      .option('--status <status>', 'only those')
      .option('--limit <number>', 'at most so many', '50'),
    async ({ edge, output }, _words, options) => {
      const limit = countOf('--limit', options.limit);
      const filter = options.status === undefined ? {} : { status: options.status };
      const found = await take(edge.listExecutions(filter), limit);
      const rows = found.map((one) => [
        one.execution_id,
        one.status,
        one.mode,
        one.function_id,
        one.flavour,
        one.created_at,
      ]);
      const headings = ['ID', 'STATUS', 'MODE', 'FUNCTION', 'FLAVOUR', 'CREATED'];
      printResult(output, found, toTable(headings, rows, 'No executions yet.'));
    },
  );
  onAction<GlobalOptions & { wait: string }>(
    executions
      .command('show <id>')
      .description('Show an execution')
      .option('--wait <seconds>', 'wait so long for its end', '0'),
    async ({ edge, output }, [id = ''], options) => {
      const reading = edge.readExecution(id, { waitSeconds: Math.min(60, numberOf('--wait', options.wait)) });
      const execution = await withProgress('waiting', reading);
      const shown = { ...execution, ...shownValueOf(execution) };
      printResult(output, shown, JSON.stringify(shown, null, 2));
    },
  );
  onAction(
    executions.command('logs <id>').description('What it wrote'),
    async ({ edge, output }, [id = '']) => {
      const logs = await edge.readLogs(id);
      printResult(output, { logs }, logs.trimEnd());
    },
  );
  onAction(
    executions.command('cancel <id>').description('Cancel it'),
    async ({ edge, output }, [id = '']) => {
      const accepted = await edge.cancelExecution(id);
      printResult(output, accepted, `Cancelling ${id}`);
    },
  );
}

/** The id under which a call is read later; beside the result, so that standard output is the result alone. */
function noteExecution(id: string | undefined): void {
  if (id !== undefined) note(`execution ${id}; what it wrote: npx gantry executions logs ${id}`);
}

/** The value of an execution that has one which can be shown; what cannot be is said beside it. */
function shownValueOf({ language, ret_code, res }: ExecutionView): Partial<Pick<Reading, 'value'>> {
  if (ret_code !== 0 || res === null || language === 'C') return {};
  try {
    return { value: readResult(language, res).value };
  } catch (error) {
    note(messageOf(error));
    return {};
  }
}
