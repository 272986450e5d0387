import { z } from 'zod';
import { geolocationSchema } from './documents.js';
import { flavourNameSchema } from './flavour-name.js';

/** The C client copies a cluster's name into 50 bytes. */
export const clusterNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,48}$/, 'must be 1 to 49 letters, digits, ".", "_" or "-"');

/** What an edge frontend says of its cluster, at registration and every few seconds after. */
export const clusterReportSchema = z
  .object({
    url: z
      .url({ protocol: /^https?$/ })
      .max(1023)
      .refine((url) => !url.endsWith('/'), 'must not end with "/"')
      .meta({ description: 'Where devices reach its edge frontend' }),
    flavours: z.array(flavourNameSchema).max(256).meta({ description: 'Flavours with a live runtime' }),
    geolocation: geolocationSchema.nullish(),
    provider: z.string().max(256).nullish(),
    is_confidential: z.boolean().default(false),
    capacity: z.number().int().min(0).meta({ description: 'Executions it can run at once' }),
  })
  .meta({ id: 'ClusterReport' });
export type ClusterReport = z.infer<typeof clusterReportSchema>;

/** One element of `GET /v1/app_requirements/{id}/ec_fe`, in the shape of OpenNebula's clusters. */
export const clusterOfferSchema = z
  .object({
    ID: z.number().int(),
    NAME: z.string(),
    HOSTS: z.array(z.number().int()),
    DATASTORES: z.array(z.number().int()),
    VNETS: z.array(z.number().int()),
    TEMPLATE: z.object({
      EDGE_CLUSTER_FRONTEND: z.string(),
      FLAVOURS: z.string(),
      PROVIDER: z.string().optional(),
      GEOLOCATION: z.string().optional(),
      IS_CONFIDENTIAL: z.enum(['TRUE', 'FALSE']),
    }),
  })
  .meta({ id: 'ClusterOffer' });
export type ClusterOffer = z.infer<typeof clusterOfferSchema>;

export const clusterStates = ['live', 'silent', 'enrolled'] as const;

export const clusterViewSchema = clusterReportSchema
  .extend({
    id: z.number().int(),
    name: clusterNameSchema,
    url: z.string().nullable().meta({ description: 'Null before the first report' }),
    state: z.enum(clusterStates).meta({
      description: 'It reports; it did and has fallen silent; it was enrolled and has never reported',
    }),
    last_seen: z.iso.datetime().nullable().meta({ description: 'When it last reported' }),
    is_live: z.boolean(),
  })
  .meta({ id: 'Cluster' });
export type ClusterView = z.infer<typeof clusterViewSchema>;

/** A public key that verifies tokens. */
export const publicKeySchema = z
  .object({
    id: z.number().int().meta({ description: 'Root key id, as written in tokens' }),
    public_key: z.string().regex(/^[0-9a-f]{64}$/),
    created_at: z.iso.datetime(),
    is_current: z.boolean().meta({ description: 'New tokens are signed with it' }),
  })
  .meta({ id: 'PublicKey' });
export type PublicKeyView = z.infer<typeof publicKeySchema>;
