import {
  cloudApi,
  fromRequirement,
  requirementHeaders,
  requirementSchema,
  toRequirement,
} from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import { nearestName } from '@gantry/kernel';
import type { CloudDeps } from '../deps.js';
import { documentOfKind } from '../usecases/document-or-missing.js';

/** As many as a person reads. */
const maxWarnings = 5;
/** What can be repeated in a header as it is. */
const plainKey = /^\w{1,64}$/;

/**
 * Keys that mean nothing here are dropped, as COGNIT's clients expect; those that look mistyped are named in a header,
 * because the answer itself is a bare number.
 */
function warningsOf(bytes: Buffer): Record<string, string> {
  const known = Object.keys(requirementSchema.shape);
  const warnings = Object.keys(JSON.parse(bytes.toString('utf8')))
    .filter((key) => plainKey.test(key) && !known.includes(key))
    .flatMap((key) => {
      const upper = key.toUpperCase();
      const near = known.includes(upper) ? upper : nearestName(upper, known);
      if (near !== undefined) return [`${key} is ignored; did you mean ${near}?`];
      return /^(MAX|MIN)_/i.test(key) ? [`${key} is ignored: no such key`] : [];
    });
  return warnings.length === 0
    ? {}
    : { [requirementHeaders.warning]: warnings.slice(0, maxWarnings).join(' ') };
}

export const requirementRoutes = ({ documents, clock }: CloudDeps): readonly Route[] => [
  route(cloudApi.createRequirement, async ({ caller, body, bytes }) => {
    const id = await documents.putRequirement(caller.principal.user, toRequirement(body), clock.now());
    return { status: 200, json: id, headers: warningsOf(bytes) };
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
  route(cloudApi.replaceRequirement, async ({ caller, params, body, bytes }) => {
    const replaced = await documents.replaceRequirement(params.id, caller.principal, toRequirement(body));
    documentOfKind(replaced, 'requirement', params.id);
    return { status: 200, json: null, headers: warningsOf(bytes) };
  }),
  route(cloudApi.deleteRequirement, async ({ caller, params }) => {
    documentOfKind(await documents.removeRequirement(params.id, caller.principal), 'requirement', params.id);
    return { status: 204 };
  }),
];
