import { edgeApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import type { EdgeDeps } from '../deps.js';
import { listFlavours } from '../usecases/list-flavours.js';

/** `GET /v1/flavours` */
export const flavoursRoute = ({ flavours }: Pick<EdgeDeps, 'flavours'>): Route =>
  route(edgeApi.listFlavours, () => ({ status: 200, json: listFlavours(flavours) }));
