import { cloudApi, publicKeySchema } from '@gantry/contracts';
import { AppError } from '@gantry/kernel';
import { z } from 'zod';
import type { CloudTrust } from '../../ports.js';

const keysSchema = z.array(publicKeySchema);
const revocationsSchema = cloudApi.revocations.responses[200].schema;

/** A cloud frontend over HTTP. @param cloudUrl without a slash at the end */
export function trustOverHttp(cloudUrl: string, timeoutMs = 2000): CloudTrust {
  const ask = async <S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>> => {
    try {
      const answer = await fetch(`${cloudUrl}${path}`, { signal: AbortSignal.timeout(timeoutMs) });
      if (answer.status !== 200) throw new Error(`status ${answer.status}`);
      return schema.parse(await answer.json());
    } catch (cause) {
      throw new AppError('cloud-unavailable', `The cloud frontend did not answer ${path}`, { cause });
    }
  };
  return {
    readKeys: async () => {
      const keys = await ask('/v1/public_keys', keysSchema);
      return keys.map(({ id, public_key }) => ({ id, publicKey: public_key })).sort((a, b) => a.id - b.id);
    },
    readRevoked: async () => (await ask('/v1/revocations', revocationsSchema)).revocation_ids,
  };
}
