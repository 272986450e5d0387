/**
 * The tables as kysely sees them. Times are epoch milliseconds; flags are 0 or 1 because the two databases disagree
 * about booleans; JSON is text because only one of them has a type for it.
 */
import type { ExecutionMode, ExecutionStatus, Language, Role } from '@gantry/contracts';
import type { ColumnType, Generated, Selectable } from 'kysely';

/** Written as bytes; libsql answers an ArrayBuffer and pg a Buffer (see `toBytes`). */
type Bytes = ColumnType<ArrayBuffer | Uint8Array, Uint8Array, Uint8Array>;

export interface AccountsTable {
  name: string;
  role: Role;
  org: string | null;
  password_hash: string;
  created_at_ms: number;
  quota_functions: number;
  quota_function_bytes: number;
}

/** One row for each document: the one sequence of ids. */
export interface DocumentsTable {
  id: Generated<number>;
  kind: 'function' | 'requirement';
  owner: string;
  created_at_ms: number;
}

export interface FunctionsTable {
  id: number;
  owner: string;
  name: string | null;
  language: Language;
  client_hash: string;
  sha256: string;
  size_bytes: number;
  created_at_ms: number;
}

/** Apart from `functions`, so that a list never reads past the code. */
interface FunctionCodeTable {
  function_id: number;
  code: Bytes;
}

export interface RequirementsTable {
  id: number;
  owner: string;
  body_json: string;
  created_at_ms: number;
}

export interface ClustersTable {
  id: Generated<number>;
  name: string;
  token_sha256: string;
  report_json: string | null;
  last_seen_ms: number;
}

export interface SigningKeysTable {
  id: number;
  private_key: string;
  public_key: string;
  created_at_ms: number;
}

interface TokensTable {
  revocation_id: string;
  /** Null when a token was revoked that this store did not issue. */
  account: string | null;
  expires_at_ms: number;
  revoked: number;
}

interface ExecutionsTable {
  id: string;
  owner: string;
  mode: ExecutionMode;
  status: ExecutionStatus;
  function_id: number;
  requirement_id: number;
  function_sha256: string;
  language: Language;
  flavour: string;
  attempt: number;
  ret_code: number | null;
  err: string | null;
  created_at_ms: number;
  started_at_ms: number | null;
  finished_at_ms: number | null;
  expires_at_ms: number;
  queue_ms: number;
  run_ms: number;
  runtime_id: string | null;
  progress_per_mille: number | null;
  traceparent: string | null;
  /** When the broker confirmed it; null while it has not. */
  published_at_ms: number | null;
  /** When the current attempt was granted. */
  leased_at_ms: number | null;
  purged: number;
  /** What a runtime is asked beyond time, as JSON; null when nothing. */
  options_json: string | null;
  /** The long columns stand last: SQLite walks over every column before the wanted one. */
  res: string | null;
  logs: string;
}

interface ExecutionParametersTable {
  execution_id: string;
  body: Bytes;
}

interface PayloadsTable {
  sha256: string;
  put_at_ms: number;
  body: Bytes;
}

export interface NodesTable {
  name: string;
  owner: string;
  /** What connected last. */
  kind: 'gantry' | 'original' | null;
  created_at_ms: number;
  last_seen_ms: number | null;
  lease_epoch: number;
  /** Revocation id of its credential; null before it has one, and when it was revoked. */
  credential_id: string | null;
  revoked: number;
  enrolment_sha256: string | null;
  enrolment_expires_ms: number | null;
  labels_json: string;
  grants_json: string;
  settings_json: string | null;
  report_json: string | null;
  /** The bridge with the newest lease; null when it was given back. */
  held_by_json: string | null;
}

interface LabelSettingsTable {
  label: string;
  revision: number;
  settings_json: string;
}

/** One row, written and read by `check()`. */
interface HealthTable {
  id: number;
  nonce: string;
}

export interface Tables {
  accounts: AccountsTable;
  documents: DocumentsTable;
  functions: FunctionsTable;
  function_code: FunctionCodeTable;
  requirements: RequirementsTable;
  clusters: ClustersTable;
  signing_keys: SigningKeysTable;
  bridge_keys: SigningKeysTable;
  nodes: NodesTable;
  label_settings: LabelSettingsTable;
  tokens: TokensTable;
  executions: ExecutionsTable;
  execution_parameters: ExecutionParametersTable;
  payloads: PayloadsTable;
  store_health: HealthTable;
}

export type ExecutionRow = Selectable<ExecutionsTable>;
