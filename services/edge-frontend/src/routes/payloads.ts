import { edgeApi } from '@gantry/contracts';
import { type Route, route } from '@gantry/http';
import { AppError } from '@gantry/kernel';
import type { EdgeDeps } from '../deps.js';

export const payloadRoute = ({ payloads }: EdgeDeps): Route =>
  route(edgeApi.fetchPayload, async ({ params }) => {
    const bytes = await payloads.get(params.sha256);
    if (bytes === undefined) throw new AppError('payload-not-found', `There is no payload ${params.sha256}`);
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { status: 200, bytes: body, contentType: 'application/octet-stream' };
  });
