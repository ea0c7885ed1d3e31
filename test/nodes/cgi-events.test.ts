import { afterEach, expect, test } from 'vitest';
import { startDahuaDevice, type DahuaDevice } from '../devices/dahua/dahua-device';
import type { CameraEvent } from '../../nodes/kit/camera-event';
import { collect, load, until, useRed } from './support/red';

useRed();
let device: DahuaDevice;
afterEach(async () => device.close());

test('x', async () => {
  device = await startDahuaDevice({ heartbeatUnitMs: 20 });
  await load(
    [
      { id: 'd', type: 'cgi-device', host: `127.0.0.1:${device.port}`, heartbeat: '1' },
      { id: 'n', type: 'cgi-events', device: 'd', codes: 'All', wires: [['out'], ['con']] },
      { id: 'out', type: 'helper' },
      { id: 'con', type: 'helper' },
    ],
    { d: { user: 'admin', password: 'admin123' } },
  );
  const out = collect('out');
  const con = collect('con');
  await until(() => con.some((m) => (m.payload as { state: string }).state === 'connected'));
  device.emit({ code: 'VideoMotion', action: 'Start', index: 2, data: { Id: [0] } });
  await until(() => out.length > 0);
  console.log(JSON.stringify(out), JSON.stringify(con));
  expect((out[0]!.payload as CameraEvent).code).toBe('VideoMotion');
});
