/** Flow 02, as shipped, from the camera to the log file. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventBody, FRAMING_STYLES, type DahuaEvent, type FramingStyle } from '../../devices/dahua/framing';
import { oneOfEach, Scenes } from '../../devices/dahua/scenes';
import { seededRandom } from '../../devices/seeded-random';
import { camera, cameraEnv, listening, numbered, PASSWORD } from '../support/camera';
import { eventLines, logLines, untilLine, untilLogged, type EventLine } from '../support/event-lines';
import { flow, nodeOf, withProperties } from '../support/flows';
import { nodeRed } from '../support/node-red';
import type { Target } from '../support/target';
import { quietTime, until } from '../support/until';

const listener = flow('02-cgi-listener');
const source = nodeOf(listener, 'cgi-events').id;

const brief = ({ payload }: EventLine): unknown[] => [payload.Code, payload.action, payload.index];
const briefOf = ({ code, action, index }: DahuaEvent): unknown[] => [code, action, index];

/** Whether a reader has a chance: cut JSON has no end without a frame, and a length that ends inside the index hides it. */
const tellable = ({ data }: DahuaEvent, style: FramingStyle): boolean =>
  !(style === 'unframed' && Buffer.isBuffer(data)) && !(style === 'length-too-short' && data === undefined);

export function listenerFlow(target: Target): void {
  describe('flow 02', () => {
    test('writes every event of every framing, in order, in the form of the seed', async () => {
      const device = await camera();
      const red = await nodeRed(target, { env: cameraEnv(device) });
      await red.deploy(listener);
      const sent: DahuaEvent[] = [];
      const scenes = new Scenes({ clock: Date, random: seededRandom(1) });
      for (const style of FRAMING_STYLES) {
        await listening(device);
        device.framing = style;
        const scene = oneOfEach(scenes).filter((event) => tellable(event, style));
        const burst = [...scene, ...numbered(200, sent.length), ...scene];
        for (const event of burst) device.emit(event);
        sent.push(...burst);
        // A device keeps to one style; a new stream is a new start for the reader.
        device.endStreams();
        await device.stats.until((stats) => stats.streamsOpen === 0);
      }
      const written = await untilLogged(red, sent.length);
      expect(written.map(brief)).toEqual(sent.map(briefOf));
      for (const [at, line] of written.entries()) {
        const { code, action, index, data } = sent[at]!;
        expect([line.level, line.code, line.action, line.channel]).toEqual(['INFO', code, action, index]);
        if (!data || Buffer.isBuffer(data)) continue;
        const body = eventBody(sent[at]!).toString('latin1');
        expect(line.payload.data).toEqual(JSON.parse(body.slice(body.indexOf(';data=') + ';data='.length)));
      }
      expect(red.log() + (await logLines(red)).join('\n')).not.toContain(PASSWORD);
    });

    test('writes the time of the event as the clock on this wall shows it', async () => {
      const device = await camera();
      const red = await nodeRed(target, { env: cameraEnv(device, { TZ: 'America/Bogota' }) });
      await red.deploy(listener);
      await listening(device);
      device.emit({ code: 'CrossLineDetection', action: 'Start', index: 0, data: { UTC: 1_755_808_421, RealUTC: 1_755_808_421 } });
      const [line] = await untilLogged(red, 1);
      expect(line?.ts).toBe('2025-08-21 15:33:41');
    });

    test('says green, connects once and asks for everything where nothing is said', async () => {
      const device = await camera({ heartbeatUnitMs: 20 });
      const red = await nodeRed(target, { env: cameraEnv(device) });
      await red.deploy(listener);
      await until('the green status', () => red.statusOf(source)?.fill === 'green');
      expect(device.stats.streamsOpened).toBe(1);
      expect(device.stats.requestLog.at(-1)?.target).toBe('/cgi-bin/eventManager.cgi?action=attach&codes=[All]&heartbeat=5');
    });

    test('stays red without a login, says so once and leaves the device alone', async () => {
      const device = await camera();
      const red = await nodeRed(target, { env: { CAM_IP: `${device.host}:${device.port}` } });
      await red.deploy(listener);
      await until('the red status', () => red.statusOf(source)?.fill === 'red');
      await quietTime();
      expect(device.stats.connectionsOpened).toBe(0);
      expect(red.alive).toBe(true);
      expect([...red.linesOf('cgi-device'), ...red.linesOf('cgi-events'), ...red.linesOf('event-log')]).toEqual([
        expect.stringContaining('CREDENTIALS_MISSING'),
      ]);
    });

    test('takes the login of the device node before that of the environment', async () => {
      const device = await camera({ users: { other: 'other-1' } });
      const red = await nodeRed(target, { env: cameraEnv(device) });
      await red.deploy(listener, { [nodeOf(listener, 'cgi-device').id]: { user: 'other', password: 'other-1' } });
      await listening(device);
      expect(device.stats.badLogins).toEqual([]);
    });

    test('LOG_LEVEL=WARNING keeps events out and connection losses in', async () => {
      const device = await camera();
      const red = await nodeRed(target, { env: cameraEnv(device, { LOG_LEVEL: 'WARNING' }) });
      await red.deploy(listener);
      await listening(device);
      for (const event of numbered(50)) device.emit(event);
      device.endStreams();
      await untilLine(red, / WARNING .*CGI_ENDED/);
      expect(await eventLines(red)).toEqual([]);
    });

    test.each([
      ['a device that knows lists', {}],
      ['a device that refuses lists', { codeList: { longest: 1, answer: 400 } } as const],
    ])('CODES leaves out the others at %s', async (_, options) => {
      const device = await camera(options);
      const red = await nodeRed(target, { env: cameraEnv(device, { CODES: 'VideoMotion, AlarmLocal' }) });
      await red.deploy(listener);
      await listening(device);
      const sent = numbered(100);
      for (const event of sent) device.emit(event);
      const wanted = sent.filter(({ code }) => code === 'VideoMotion' || code === 'AlarmLocal');
      device.endStreams();
      await untilLine(red, /CGI_ENDED/);
      expect((await eventLines(red)).map(brief)).toEqual(wanted.map(briefOf));
    });

    test('SIGTERM ends it in good order: socket closed, no event gone without a word', async () => {
      const device = await camera();
      const red = await nodeRed(target, { env: cameraEnv(device) });
      await red.deploy(withWitness());
      await listening(device);
      for (const event of numbered(3000)) device.emit(event);
      await until('the first log file', async () => (await red.logFiles()).length > 0);
      expect(await red.stop('SIGTERM')).toEqual({ code: 0, signal: null });
      await device.stats.until((stats) => stats.connectionsOpen === 0);
      const seen = (await readFile(join(red.userDir, 'witness'), 'utf8')).trim().split('\n').map(Number);
      const written = (await eventLines(red)).map(({ payload }) => Number(payload.data?.N));
      // What Node-RED hands over after the node was closed is refused, aloud.
      const refused = [...red.log().matchAll(/(\d+)\.log: the log is closed/g)].map(([, number]) => Number(number));
      expect([...written, ...refused].sort((a, b) => a - b)).toEqual(seen);
    });
  });
}

/**
 * Flow 02 with a node in front of the log that notes, at once and on disk, every event that it is given. The log has a file for
 * each event, so that at the end there is something left to write.
 */
function withWitness(): typeof listener {
  const log = nodeOf(listener, 'event-log').id;
  const witness = {
    id: 'witness',
    type: 'function',
    z: nodeOf(listener, 'tab').id,
    func: "if (msg.payload.data) fs.appendFileSync('witness', msg.payload.data.N + '\\n'); return msg;",
    outputs: 1,
    libs: [{ var: 'fs', module: 'fs' }],
    wires: [[log]],
  };
  const slow = withProperties(listener, 'event-log', { path: 'logs/{{data.N}}.log' });
  const rewired = slow.map((node) =>
    node.id === source ? { ...node, wires: node.wires?.map((targets) => targets.map((id) => (id === log ? witness.id : id))) ?? [] } : node,
  );
  return [...rewired, witness];
}
