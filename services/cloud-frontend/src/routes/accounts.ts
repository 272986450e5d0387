import { type AccountView, cloudApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { Account } from '@gantry/store';
import type { CloudDeps } from '../deps.js';
import { createAccount } from '../usecases/create-account.js';
import { deleteAccount } from '../usecases/delete-account.js';

export const accountRoutes = (deps: CloudDeps): readonly Route[] => [
  route(cloudApi.createAccount, async ({ caller, body, requestId }) => {
    const account = await createAccount(deps, body);
    const about = { account: account.name, role: account.role, by: caller.principal.user, requestId };
    deps.logger.info('account created', { op: 'account.create', ...about });
    return { status: 201, json: toView(account) };
  }),
  route(cloudApi.listAccounts, async ({ query }) => {
    const { items, nextCursor } = await deps.accounts.list(query);
    return { status: 200, json: { items: items.map(toView), next_cursor: nextCursor } };
  }),
  route(cloudApi.deleteAccount, async ({ caller, params, requestId }) => {
    await deleteAccount(deps, params.name);
    const about = { account: params.name, by: caller.principal.user, requestId };
    deps.logger.info('account deleted', { op: 'account.delete', ...about });
    return { status: 204 };
  }),
];

const toView = (account: Account): AccountView => ({
  name: account.name,
  role: account.role,
  org: account.org ?? null,
  created_at: new Date(account.createdAtMs).toISOString(),
  quota_functions: account.quotaFunctions,
  quota_function_bytes: account.quotaFunctionBytes,
});
