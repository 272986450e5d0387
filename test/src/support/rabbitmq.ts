/**
 * A real RabbitMQ node for tests: a folder of its own under the temp folder, free loopback ports, its own epmd, an
 * account with a random password. It dies with the test process (parent death signal), also when that is killed.
 *
 * The wrapper scripts of the Debian package insist on the user `rabbitmq` and on /var/lib; what they wrap does not.
 * Longer than most files, because everything one node is configured with stands in one place.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { choosePorts } from './loopback-ports.js';
import { endProcess, untilUp } from './server-process.js';

const run = promisify(execFile);
const programs = '/usr/lib/rabbitmq/bin';
const erlang = '/usr/lib/erlang';
const startTimeoutMs = 90_000;
const ctlTimeoutMs = 60_000;
/** Another process may take a port between our look and RabbitMQ's. */
const startAttempts = 3;

export interface RabbitMqOptions {
  /** Also listens with TLS, with a certificate for localhost and 127.0.0.1 that `caFile` vouches for. */
  readonly tls?: boolean;
  /** Default `gantry`. */
  readonly user?: string;
  /** Default: random. */
  readonly password?: string;
  /** Default `/`. */
  readonly vhost?: string;
  /** More lines of rabbitmq.conf. */
  readonly config?: string;
}

export interface RabbitMq {
  /** With user, password and virtual host. */
  readonly url: string;
  readonly port: number;
  /** Like `url` over TLS; only with `tls`. */
  readonly tlsUrl: string | undefined;
  readonly caFile: string | undefined;
  /** Of the Erlang machine, at present. */
  readonly pid: number;
  /** `rabbitmqctl args…`; answers what it prints. */
  ctl(...args: string[]): Promise<string>;
  start(): Promise<void>;
  /** Shuts down in good order and starts again on the same ports, with the same data. */
  restart(): Promise<void>;
  /** SIGKILL; the data stay. `start` brings it back. */
  kill9(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  suspend(): void;
  resume(): void;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @throws Error that names the Debian package when RabbitMQ is not installed */
export async function startRabbitMq(options: RabbitMqOptions = {}): Promise<RabbitMq> {
  assertInstalled();
  for (let attempt = 1; ; attempt += 1) {
    const node = await RabbitMqNode.prepare(options);
    try {
      await node.start();
      return node;
    } catch (error) {
      await node.stop();
      if (attempt >= startAttempts || !/eaddrinuse|already in use/i.test(String(error))) throw error;
    }
  }
}

interface Ports {
  readonly amqp: number;
  readonly distribution: number;
  readonly epmd: number;
  readonly tls: number;
}

class RabbitMqNode implements RabbitMq {
  readonly url: string;
  readonly port: number;
  readonly tlsUrl: string | undefined;
  readonly caFile: string | undefined;
  readonly #folder: string;
  readonly #ports: Ports;
  readonly #env: Readonly<Record<string, string>>;
  #epmd: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  private constructor(folder: string, ports: Ports, options: Required<RabbitMqOptions>) {
    const account = `${encodeURIComponent(options.user)}:${encodeURIComponent(options.password)}`;
    const vhost = options.vhost === '/' ? '' : `/${encodeURIComponent(options.vhost)}`;
    this.#folder = folder;
    this.#ports = ports;
    this.#env = environmentOf(folder, ports);
    this.port = ports.amqp;
    this.url = `amqp://${account}@127.0.0.1:${ports.amqp}${vhost}`;
    this.tlsUrl = options.tls ? `amqps://${account}@localhost:${ports.tls}${vhost}` : undefined;
    this.caFile = options.tls ? join(folder, 'ca.pem') : undefined;
  }

  static async prepare(given: RabbitMqOptions): Promise<RabbitMqNode> {
    const options = {
      tls: false,
      user: 'gantry',
      password: randomBytes(16).toString('hex'),
      vhost: '/',
      config: '',
      ...given,
    };
    const [amqp = 0, distribution = 0, epmd = 0, tls = 0] = await choosePorts(4);
    const ports = { amqp, distribution, epmd, tls };
    const folder = mkdtempSync(join(tmpdir(), 'gantry-rabbitmq-'));
    for (const name of ['mnesia', 'log', 'home']) mkdirSync(join(folder, name));
    if (options.tls) await makeCertificate(folder);
    writeFileSync(join(folder, 'rabbitmq.conf'), configurationOf(folder, ports, options));
    writeFileSync(join(folder, 'definitions.json'), JSON.stringify(definitionsOf(options)), { mode: 0o600 });
    writeFileSync(join(folder, 'enabled_plugins'), '[].\n');
    writeFileSync(join(folder, 'home', '.erlang.cookie'), randomBytes(16).toString('hex'), { mode: 0o400 });
    return new RabbitMqNode(folder, ports, options);
  }

  get pid(): number {
    const pid = this.#server?.pid;
    if (pid === undefined) throw new Error('RabbitMQ does not run');
    return pid;
  }

  async ctl(...args: string[]): Promise<string> {
    const { stdout } = await run(join(programs, 'rabbitmqctl'), ['-q', ...args], {
      cwd: this.#folder,
      env: this.#env,
      timeout: ctlTimeoutMs,
    });
    return stdout.trim();
  }

  async start(): Promise<void> {
    this.#epmd ??= this.#spawn(findEpmd(), ['-port', String(this.#ports.epmd), '-address', '127.0.0.1']);
    await untilUp(
      'epmd',
      this.#epmd,
      listeningOn(this.#ports.epmd, () => ''),
    );
    this.#server = this.#spawn(join(programs, 'rabbitmq-server'), []);
    await untilUp(
      'RabbitMQ',
      this.#server,
      listeningOn(this.#ports.amqp, () => this.#log()),
    );
  }

  async restart(): Promise<void> {
    await this.#end('SIGTERM');
    await this.start();
  }

  kill9(): Promise<void> {
    return this.#end('SIGKILL');
  }

  suspend(): void {
    this.#server?.kill('SIGSTOP');
  }

  resume(): void {
    this.#server?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.#end('SIGKILL');
    const epmd = this.#epmd;
    this.#epmd = undefined;
    if (epmd !== undefined) await endProcess(epmd, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    // Suspended it would not see the signal.
    server.kill('SIGCONT');
    await endProcess(server, signal);
  }

  /** `setpriv` becomes the program, so the process id is the program's own. */
  #spawn(program: string, args: readonly string[]): ChildProcess {
    const child = spawn('setpriv', ['--pdeathsig=KILL', '--', program, ...args], {
      cwd: this.#folder,
      env: this.#env,
      stdio: 'ignore',
    });
    running.add(child);
    child.once('close', () => running.delete(child));
    return child;
  }

  #log(): string {
    const folder = join(this.#folder, 'log');
    return readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'utf8').slice(-3000))
      .join('\n');
  }
}

function assertInstalled(): void {
  if (existsSync(join(programs, 'rabbitmq-server'))) return;
  throw new Error(
    `RabbitMQ is not installed (no ${join(programs, 'rabbitmq-server')}): apt-get install rabbitmq-server`,
  );
}

function findEpmd(): string {
  const runtime = readdirSync(erlang).find((name) => name.startsWith('erts-'));
  if (runtime === undefined) throw new Error(`no Erlang under ${erlang}: apt-get install rabbitmq-server`);
  return join(erlang, runtime, 'bin', 'epmd');
}

function environmentOf(folder: string, ports: Ports): Record<string, string> {
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: join(folder, 'home'),
    LANG: 'C.UTF-8',
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `gantry${ports.amqp}@localhost`,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_CONF_ENV_FILE: '/nonexistent',
    // No busy waiting: the tests share the processors with it.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+sbwt none -kernel inet_dist_use_interface {127,0,0,1}',
    // Makes the script become the Erlang machine instead of waiting for it.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

function configurationOf(folder: string, ports: Ports, options: Required<RabbitMqOptions>): string {
  const lines = [
    `listeners.tcp.default = 127.0.0.1:${ports.amqp}`,
    'loopback_users = none',
    `load_definitions = ${join(folder, 'definitions.json')}`,
    'disk_free_limit.absolute = 50MB',
    'vm_memory_high_watermark.absolute = 1GB',
    'log.console = false',
    'log.file.level = info',
  ];
  if (options.tls) {
    lines.push(
      `listeners.ssl.default = 127.0.0.1:${ports.tls}`,
      `ssl_options.certfile = ${join(folder, 'server.pem')}`,
      `ssl_options.keyfile = ${join(folder, 'server.key')}`,
      'ssl_options.verify = verify_none',
      'ssl_options.fail_if_no_peer_cert = false',
    );
  }
  return `${lines.join('\n')}\n${options.config}\n`;
}

function definitionsOf({ user, password, vhost }: Required<RabbitMqOptions>): unknown {
  const salt = randomBytes(4);
  const hash = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return {
    users: [
      {
        name: user,
        password_hash: Buffer.concat([salt, hash]).toString('base64'),
        hashing_algorithm: 'rabbit_password_hashing_sha256',
        tags: 'administrator',
      },
    ],
    vhosts: [{ name: vhost }],
    permissions: [{ user, vhost, configure: '.*', write: '.*', read: '.*' }],
  };
}

/** An authority, and a certificate of it for the server. */
async function makeCertificate(folder: string): Promise<void> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=Gantry test authority'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  );
  writeFileSync(join(folder, 'names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  await openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr');
  await openssl(
    ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-days', '2', '-extfile', 'names.cnf', '-out', 'server.pem'],
  );
}

const listeningOn = (port: number, log: () => string) => ({
  isUp: () => isListening(port),
  log,
  timeoutMs: startTimeoutMs,
});

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
