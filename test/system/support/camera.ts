/** A simulated camera for one test, and what a flow is told of it. */
import { onTestFinished } from 'vitest';
import { startDahuaDevice, type DahuaDevice } from '../../devices/dahua/dahua-device';
import type { DahuaEvent } from '../../devices/dahua/framing';
import type { DahuaDeviceOptions } from '../../devices/dahua/options';
import { between, pick, seededRandom } from '../../devices/seeded-random';

export const USER = 'admin';
export const PASSWORD = 'pass-of-the-camera-1';

export async function camera(options: DahuaDeviceOptions = {}): Promise<DahuaDevice> {
  const device = await startDahuaDevice({ users: { [USER]: PASSWORD }, ...options });
  onTestFinished(() => device.close());
  return device;
}

/** The variables of flow 02, with the shortest waits that it allows. */
export const cameraEnv = (device: DahuaDevice, more: Record<string, string> = {}): Record<string, string> => ({
  CAM_IP: `${device.host}:${device.port}`,
  CAM_USER: USER,
  CAM_PASS: PASSWORD,
  BACKOFF_BASE: '1.1',
  BACKOFF_MAX: '1',
  ...more,
});

/** Resolves when a node listens. */
export const listening = (device: DahuaDevice): Promise<void> => device.stats.until((stats) => stats.streamsOpen > 0);

/** Events that can be told apart: `data.N` counts on. */
export function numbered(count: number, first = 0): DahuaEvent[] {
  const random = seededRandom(first + count);
  return Array.from({ length: count }, (_, turn) => ({
    code: pick(random, ['VideoMotion', 'CrossLineDetection', 'AlarmLocal', 'FaceDetection']),
    action: pick(random, ['Start', 'Stop', 'Pulse']),
    index: between(random, 0, 7),
    data: { N: first + turn, Name: pick(random, ['Puerta', 'Gate;action=Stop;index=9', '--myboundary', 'a "quoted" \\ name']) },
  }));
}
