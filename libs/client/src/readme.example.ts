import { DeviceRuntime } from './index.js';

export async function brightest(endpoint: string, password: string): Promise<number | undefined> {
  const device = await DeviceRuntime.init({
    endpoint,
    credentials: { name: 'ada', password },
    requirements: { FLAVOUR: 'Nature', GEOLOCATION: { latitude: 43.05, longitude: -2.53 } },
  });
  const brightestOf = (pixels: number[]) => Math.max(...pixels);

  const now = await device.call(brightestOf, [3, 250, 17]); // CallResult<number>
  if (!now.ok) throw new Error(now.err); // the function failed; the platform did not

  const later = await device.callAsync(brightestOf, [4, 5]); // stored: it runs even if this device goes away
  const result = await later.result({ timeoutMs: 30_000 });

  await device.updateRequirements({ FLAVOUR: 'Nature', MAX_FUNCTION_EXECUTION_TIME: 5 });
  await device.close();
  return result.ok ? (now.value ?? 0) + result.value : undefined;
}
