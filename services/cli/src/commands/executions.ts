import type { ExecutionStatus } from '@gantry/contracts';
import type { Command } from 'commander';
import type { GlobalOptions } from '../connection.js';
import { note, printResult, toTable, withProgress } from '../terminal.js';
import { numberOf, onAction, take, UsageError } from './action.js';

interface CallOptions extends GlobalOptions {
  readonly flavour: string;
  readonly seconds?: string;
  readonly async?: boolean;
}

/** `gantry call` and `gantry executions …` */
export function addExecutions(program: Command): void {
  onAction<CallOptions>(
    program
      .command('call <function> [parameters...]')
      .description('Execute a JavaScript function; each parameter is JSON, or else a text')
      .option('--flavour <flavour>', 'where it runs', 'Nature')
      .option('--seconds <seconds>', 'how long it may run')
      .option('--async', 'do not wait for the result'),
    async ({ client, edge, output }, [id = '', ...parameters], options) => {
      const requirementId = await client.createRequirement({
        FLAVOUR: options.flavour,
        ...(options.seconds === undefined
          ? {}
          : { MAX_FUNCTION_EXECUTION_TIME: numberOf('--seconds', options.seconds) }),
      });
      const input = {
        functionId: numberOf('the function id', id),
        requirementId,
        parameters: parameters.map((text) => Buffer.from(toJson(text)).toString('base64')),
      };
      if (options.async === true) {
        const accepted = await edge.executeAsync(input);
        const next = `Read it with: npx gantry executions show ${accepted.execution_id} --wait 60`;
        printResult(output, accepted, `${accepted.execution_id}\n${next}`);
        return;
      }
      const result = await withProgress('executing', edge.execute(input));
      if (result.ret_code !== 0) {
        if (output.isJson) printResult(output, result, '');
        else note(result.err ?? 'the function failed');
        process.exitCode = 1;
        return;
      }
      printResult(output, result, decodeJson(result.res));
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
      const filter = options.status === undefined ? {} : { status: options.status };
      const found = await take(edge.listExecutions(filter), numberOf('--limit', options.limit));
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
      printResult(output, execution, JSON.stringify(execution, null, 2));
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

/** Words that are not JSON are taken as text, so that `call 1 hello` works; but not what was meant as JSON. */
function toJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    if (/^[{["]/.test(text)) throw new UsageError(`a parameter is not valid JSON: ${text}`);
    return JSON.stringify(text);
  }
}

const decodeJson = (res: string): string => Buffer.from(res, 'base64').toString('utf8');
