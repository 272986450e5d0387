import type { BridgeDeps } from '../deps.js';
import { type AuditOrigin, auditFrom } from '../usecases/audit-shares.js';

/** With an audit log that says where the request came from. Its address is asked for now: a closed socket has none. */
export const audited = (deps: BridgeDeps, { address, requestId }: AuditOrigin): BridgeDeps => ({
  ...deps,
  audit: auditFrom(deps.audit, { address, requestId }),
});
