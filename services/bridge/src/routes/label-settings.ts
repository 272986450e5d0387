import { bridgeApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { BridgeDeps } from '../deps.js';
import {
  listLabelSettings,
  removeLabelSettings,
  setLabelSettings,
} from '../usecases/change-label-settings.js';
import { audited } from './audited.js';

export const labelSettingsRoutes = (deps: BridgeDeps): readonly Route[] => [
  route(bridgeApi.listLabelSettings, async () => ({ status: 200, json: await listLabelSettings(deps) })),
  route(bridgeApi.setLabelSettings, async (request) => {
    const { body, caller, params } = request;
    const own = audited(deps, request);
    return { status: 200, json: await setLabelSettings(own, caller.principal, params.label, body) };
  }),
  route(bridgeApi.removeLabelSettings, async (request) => {
    await removeLabelSettings(audited(deps, request), request.caller.principal, request.params.label);
    return { status: 204 };
  }),
];
