import { cloudApi, fromRequirement, requirementHeaders, toRequirement } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { CloudDeps } from '../deps.js';
import { documentOfKind } from '../usecases/document-or-missing.js';

export const requirementRoutes = ({ documents, clock }: CloudDeps): readonly Route[] => [
  route(cloudApi.createRequirement, async ({ caller, body }) => {
    const id = await documents.putRequirement(caller.principal.user, toRequirement(body), clock.now());
    return { status: 200, json: id };
  }),
  route(cloudApi.listRequirements, async ({ caller, query }) => {
    const { items, nextCursor } = await documents.listRequirements(caller.principal, query);
    const views = items.map(({ id, requirement }) => ({ ...fromRequirement(requirement), id }));
    return { status: 200, json: { items: views, next_cursor: nextCursor } };
  }),
  route(cloudApi.readRequirement, async ({ caller, params }) => {
    const found = await documents.findRequirement(params.id, caller.principal);
    const { owner, requirement } = documentOfKind(found, 'requirement', params.id);
    const headers = {
      [requirementHeaders.owner]: encodeURIComponent(owner),
      ...(requirement.maxRunMs === undefined
        ? {}
        : { [requirementHeaders.maxRunMs]: String(requirement.maxRunMs) }),
    };
    return { status: 200, json: fromRequirement(requirement), headers };
  }),
  route(cloudApi.replaceRequirement, async ({ caller, params, body }) => {
    const replaced = await documents.replaceRequirement(params.id, caller.principal, toRequirement(body));
    documentOfKind(replaced, 'requirement', params.id);
    return { status: 200, json: null };
  }),
  route(cloudApi.deleteRequirement, async ({ caller, params }) => {
    documentOfKind(await documents.removeRequirement(params.id, caller.principal), 'requirement', params.id);
    return { status: 204 };
  }),
];
