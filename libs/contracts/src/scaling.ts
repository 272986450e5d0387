import { z } from 'zod';

/** No flavour on one machine has more runtimes than this, whatever is configured. */
export const highestCardinality = 1000;

/** How many runtimes there shall be; in a URL in decimal. 0 is taken as 1, as the original does. */
export const targetCardinalitySchema = z
  .preprocess(
    (count) => (typeof count === 'string' && !/^-?\d+(\.\d+)?$/.test(count) ? undefined : count),
    z.coerce
      .number('must be a whole number')
      .int('must be a whole number')
      .min(0, 'must be 0 or more')
      .max(highestCardinality),
  )
  .meta({ description: 'Runtimes wanted; 0 is taken as 1', example: 2 });

/** OpenNebula's number of a OneFlow service that runs: what the original answers in `state`. */
export const runningServiceState = 2;

/** What a scaling came to, field by field as the original's orchestrator reads it. */
export const scaledSchema = z
  .object({
    service_id: z.string().meta({ description: '<cluster>/<flavour>' }),
    state: z.number().int(),
    initial_cardinality: z.number().int(),
    final_cardinality: z.number().int(),
    message: z.string(),
  })
  .meta({
    id: 'Scaled',
    example: {
      service_id: 'local/Nature',
      state: runningServiceState,
      initial_cardinality: 1,
      final_cardinality: 3,
      message: 'Scaling operation completed successfully',
    },
  });
export type Scaled = z.infer<typeof scaledSchema>;
