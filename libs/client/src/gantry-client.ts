import {
  type AccountView,
  type ClusterOffer,
  type ClusterView,
  cloudApi,
  type FunctionUpload,
  type FunctionView,
  type NewAccount,
  type PublicKeyView,
  type RequirementOnWire,
  type RouteContract,
} from '@gantry/contracts';
import { BridgeClient } from './bridge-client.js';
import { EdgeClient } from './edge-client.js';
import { type ListOptions, type Page, Paged } from './paged.js';
import { Session, type SessionOptions } from './session.js';
import { type AnswerOf, type RequestOptions, type RouteInput, readBytes } from './transport.js';

/**
 * Every route of the cloud frontend as a method, and with {@link edge} and {@link bridge} those of the others. Signs in by itself
 * at the first call that needs a token, and again when the token has expired. Holds no connection of its own.
 *
 * @example
 * const gantry = new GantryClient({ cloudUrl: 'http://127.0.0.1:1338', credentials: { name, password } });
 * for await (const one of gantry.listFunctions()) print(one.id, one.name);
 */
export class GantryClient {
  readonly cloudUrl: string;
  readonly #session: Session;

  constructor(options: SessionOptions) {
    this.#session = new Session(options);
    this.cloudUrl = options.cloudUrl;
  }

  /** The edge frontend at `url`, with the same credentials. */
  edge(url: string): EdgeClient {
    return new EdgeClient(url, this.#session);
  }

  /** The bridge at `url`, with the same credentials. */
  bridge(url: string): BridgeClient {
    return new BridgeClient(url, this.#session);
  }

  /** A token of the account; the one in use while it is accepted. @throws {GantryError} invalid-credentials */
  authenticate(options: RequestOptions = {}): Promise<string> {
    return this.#session.token(options);
  }

  // Accounts; administrators, except for the own password.

  createAccount(account: NewAccount, options: RequestOptions = {}): Promise<AccountView> {
    return this.#call(cloudApi.createAccount, { body: account }, options);
  }
  listAccounts(options: ListOptions = {}): Paged<AccountView> {
    return this.#list(cloudApi.listAccounts, options);
  }
  async deleteAccount(name: string, options: RequestOptions = {}): Promise<void> {
    await this.#call(cloudApi.deleteAccount, { params: { name } }, options);
  }
  async setAccountPassword(name: string, password: string, options: RequestOptions = {}): Promise<void> {
    await this.#call(cloudApi.setAccountPassword, { params: { name }, body: { password } }, options);
  }
  /** Changes the own password; all own tokens are revoked by it. @throws {GantryError} invalid-credentials */
  async setOwnPassword(
    passwords: { readonly current: string; readonly next: string },
    options: RequestOptions = {},
  ): Promise<void> {
    const body = { current_password: passwords.current, password: passwords.next };
    await this.#call(cloudApi.setOwnPassword, { body }, options);
  }

  // Tokens and their keys.

  /** The key that verifies new tokens, 64 hex characters. */
  readPublicKey(options: RequestOptions = {}): Promise<string> {
    return this.#call(cloudApi.publicKey, {}, options);
  }
  listKeys(options: RequestOptions = {}): Promise<PublicKeyView[]> {
    return this.#call(cloudApi.publicKeys, {}, options);
  }
  /** Adds a signing key (administrators); tokens of the older keys live until they expire. */
  rotateKey(options: RequestOptions = {}): Promise<PublicKeyView> {
    return this.#call(cloudApi.rotateKey, {}, options);
  }
  async listRevocations(options: RequestOptions = {}): Promise<string[]> {
    return (await this.#call(cloudApi.revocations, {}, options)).revocation_ids;
  }
  async revokeToken(revocationId: string, options: RequestOptions = {}): Promise<void> {
    await this.#call(cloudApi.revokeToken, { body: { revocation_id: revocationId } }, options);
  }

  // Functions.

  /** Stores a function and answers its id; the same function again answers the same id. */
  uploadFunction(upload: FunctionUpload, options: RequestOptions = {}): Promise<number> {
    return this.#call(cloudApi.uploadFunction, { body: upload }, options);
  }
  listFunctions(options: ListOptions = {}): Paged<FunctionView> {
    return this.#list(cloudApi.listFunctions, options);
  }
  readFunction(id: number, options: RequestOptions = {}): Promise<FunctionView> {
    return this.#call(cloudApi.readFunction, { params: { id } }, options);
  }
  /** The function's code as it was uploaded, decoded. */
  readFunctionCode(id: number, options: RequestOptions = {}): Promise<Uint8Array> {
    return this.#session.send(
      this.cloudUrl,
      cloudApi.readFunctionCode,
      { params: { id } },
      options,
      readBytes,
    );
  }
  async deleteFunction(id: number, options: RequestOptions = {}): Promise<void> {
    await this.#call(cloudApi.deleteFunction, { params: { id } }, options);
  }

  // Requirements and the clusters that meet them.

  createRequirement(requirement: RequirementOnWire, options: RequestOptions = {}): Promise<number> {
    return this.#call(cloudApi.createRequirement, { body: requirement }, options);
  }
  listRequirements(options: ListOptions = {}): Paged<RequirementOnWire & { id: number }> {
    return this.#list(cloudApi.listRequirements, options);
  }
  readRequirement(id: number, options: RequestOptions = {}): Promise<RequirementOnWire> {
    return this.#call(cloudApi.readRequirement, { params: { id } }, options);
  }
  async replaceRequirement(
    id: number,
    requirement: RequirementOnWire,
    options: RequestOptions = {},
  ): Promise<void> {
    await this.#call(cloudApi.replaceRequirement, { params: { id }, body: requirement }, options);
  }
  async deleteRequirement(id: number, options: RequestOptions = {}): Promise<void> {
    await this.#call(cloudApi.deleteRequirement, { params: { id } }, options);
  }
  /** Edge clusters that meet the requirement, nearest first; never empty. @throws {GantryError} cluster-not-found */
  chooseClusters(requirementId: number, options: RequestOptions = {}): Promise<ClusterOffer[]> {
    return this.#call(cloudApi.chooseClusters, { params: { id: requirementId } }, options);
  }
  /** Reports latencies that the device measured, by cluster. */
  async reportLatency(latencies: unknown, options: RequestOptions = {}): Promise<void> {
    await this.#call(cloudApi.reportLatency, { body: latencies }, options);
  }

  // Clusters; administrators enrol and remove them.

  listClusters(options: RequestOptions = {}): Promise<ClusterView[]> {
    return this.#call(cloudApi.listClusters, {}, options);
  }
  /** Makes the token with which an edge frontend registers; it is answered this once. */
  async enrolCluster(name: string, options: RequestOptions = {}): Promise<string> {
    return (await this.#call(cloudApi.enrolCluster, { body: { name } }, options)).enrolment_token;
  }
  async removeCluster(name: string, options: RequestOptions = {}): Promise<void> {
    await this.#call(cloudApi.removeCluster, { params: { name } }, options);
  }

  #call<C extends RouteContract>(
    contract: C,
    input: RouteInput,
    options: RequestOptions,
  ): Promise<AnswerOf<C>> {
    return this.#session.request(this.cloudUrl, contract, input, options);
  }

  #list<T>(contract: RouteContract, { limit, ...options }: ListOptions): Paged<T> {
    return new Paged(
      (cursor) =>
        this.#call(contract, { query: { limit, cursor } }, options) as Promise<unknown> as Promise<Page<T>>,
    );
  }
}
