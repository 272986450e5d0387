/**
 * Turns the figures of devices into gauges.
 *
 * I1  Bounded in every direction: figures of a report, devices, and names of a device; what was not heard of for the
 *     longest time goes first. An account cannot write another's figures: its name stands before the device's.
 */
import { LRUCache } from 'lru-cache';

export interface DeviceGauge {
  set(labels: { device: string; name: string }, value: number): void;
  remove(labels: { device: string; name: string }): void;
}

const figuresPerReport = 64;
const namesPerDevice = 256;
const devices = 1000;

export class DeviceMetrics {
  readonly #gauge: DeviceGauge;
  readonly #names: LRUCache<string, Set<string>>;

  constructor(gauge: DeviceGauge) {
    this.#gauge = gauge;
    this.#names = new LRUCache<string, Set<string>>({
      max: devices,
      dispose: (names, device) => {
        for (const name of names) gauge.remove({ device, name });
      },
    });
  }

  /** @returns how many figures were taken */
  report(user: string, body: Readonly<Record<string, unknown>>): number {
    const device = deviceOf(user, body['device_id']);
    const figures = Object.entries(body)
      .filter((entry): entry is [string, number] => typeof entry[1] === 'number' && Number.isFinite(entry[1]))
      .slice(0, figuresPerReport);
    if (figures.length === 0) return 0;
    let names = this.#names.get(device);
    if (names === undefined) {
      names = new Set();
      this.#names.set(device, names);
    }
    let taken = 0;
    for (const [key, value] of figures) {
      const name = toMetricName(key);
      if (!names.has(name) && names.size >= namesPerDevice) continue;
      names.add(name);
      this.#gauge.set({ device, name }, value);
      taken += 1;
    }
    return taken;
  }
}

/** `account`, or `account/device` when the report names one. */
function deviceOf(user: string, deviceId: unknown): string {
  if (typeof deviceId !== 'string' && typeof deviceId !== 'number') return user;
  const id = String(deviceId)
    .slice(0, 64)
    .replaceAll(/[^A-Za-z0-9._:-]/g, '_');
  return id === '' ? user : `${user}/${id}`;
}

const toMetricName = (key: string): string => key.slice(0, 64).replaceAll(/[^A-Za-z0-9_]/g, '_') || '_';
