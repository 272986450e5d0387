import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/**
 * Metrics of one process. Libraries and services make theirs through this, so that only this file knows prom-client.
 * Names end in a unit (`_seconds`, `_bytes`) or `_total`; labels have few values: never an id or an account.
 */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[], collect?: (gauge: Gauge) => void): Gauge;
  /** Buckets in the unit of the name. */
  histogram(name: string, help: string, labels?: readonly string[], buckets?: readonly number[]): Histogram;
  /** The Prometheus text exposition, and its content type. */
  expose(): Promise<{ contentType: string; text: string }>;
}

const defaultBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A registry of its own. Asking twice for the same name answers the same metric. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const existing = <T>(name: string) => registry.getSingleMetric(name) as T | undefined;
  const base = (name: string, help: string, labels: readonly string[] = []) => ({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
  });
  return {
    counter: (name, help, labels) => existing<Counter>(name) ?? new Counter(base(name, help, labels)),
    gauge: (name, help, labels, collect) =>
      existing<Gauge>(name) ??
      new Gauge({
        ...base(name, help, labels),
        ...(collect === undefined
          ? {}
          : {
              collect(this: Gauge) {
                collect(this);
              },
            }),
      }),
    histogram: (name, help, labels, buckets) =>
      existing<Histogram>(name) ??
      new Histogram({ ...base(name, help, labels), buckets: [...(buckets ?? defaultBuckets)] }),
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
