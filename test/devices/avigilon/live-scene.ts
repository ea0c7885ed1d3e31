import { between, seededRandom, type Random } from '../seeded-random';
import { realClock, type ServerClock } from './clock';
import { ZONES, type Zone } from './counting-rules';
import { analyticPair, motionPair, userLogin } from './event-drafts';
import type { EventDraft } from './event-log';
import type { Camera, Site } from './site';

/** From more coming than going to the contrary and back. */
const TIDE_MS = 10 * 60_000;

export interface LiveSceneOptions {
  /** Default: the machine's. Give the one that the server has. */
  clock?: ServerClock;
  random?: Random;
  /** 2 doubles the pace. Default 1: a crossing every second or so. */
  pace?: number;
}

export interface LiveScene {
  /** Cars counted in each zone, by STOPs written so far. */
  readonly inside: Readonly<Record<Zone, number>>;
  stop(): void;
}

interface Stage {
  site: Site;
  now(): number;
  controls: { record(events: readonly EventDraft[]): void };
}

/** A match day at the stadium: cars and people come and go, the motion detector chatters, operators log in. Goes on until `stop`. */
export function liveScene(server: Stage, options: LiveSceneOptions = {}): LiveScene {
  const { clock = realClock, random = seededRandom(3), pace = 1 } = options;
  const inside = Object.fromEntries(ZONES.map((zone) => [zone, 0])) as Record<Zone, number>;
  const leaving = { ...inside };
  const timers = new Set<() => void>();
  const began = clock.now();
  const later = (ms: number, run: () => void): void => {
    const cancel = clock.after(ms / pace, () => {
      timers.delete(cancel);
      run();
    });
    timers.add(cancel);
  };
  const anyCamera = (): Camera => server.site.cameras[between(random, 0, server.site.cameras.length - 1)]!;

  /** The START now, the STOP when it is over. */
  const play = (make: (start: number) => [EventDraft, EventDraft], whenOver: () => void = () => undefined): void => {
    const [start, stop] = make(server.now());
    server.controls.record([start]);
    later(between(random, 300, 2500), () => {
      stop.at = Math.max(server.now(), start.at);
      server.controls.record([stop]);
      whenOver();
    });
  };

  const somebodyCrosses = (): void => {
    const camera = anyCamera();
    const coming = random() < 0.5 + 0.35 * Math.cos(((clock.now() - began) * pace * 2 * Math.PI) / TIDE_MS);
    const zone = camera.rules.find(({ effect }) => effect)?.effect?.zone;
    const change = !zone || coming || inside[zone] - leaving[zone] <= 0 ? 1 : -1;
    const rule = camera.rules.find(({ effect }) => (effect?.change ?? 1) === change)!;
    if (zone && change === -1) leaving[zone] += 1;
    play(
      (at) => analyticPair(camera, rule, { start: at, stop: at }, random),
      () => {
        if (!zone) return;
        inside[zone] += change;
        if (change === -1) leaving[zone] -= 1;
      },
    );
  };

  const goOn = (): void => {
    const together = random() < 0.1 ? 3 : 1;
    for (let turn = 0; turn < together; turn += 1) somebodyCrosses();
    if (random() < 0.3) {
      const camera = anyCamera();
      play((at) => motionPair(camera, { start: at, stop: at }, random));
    }
    if (random() < 0.02) server.controls.record([userLogin(anyCamera().serverId, server.now(), random)]);
    later(between(random, 400, 1400), goOn);
  };
  later(100, goOn);

  return {
    inside,
    stop() {
      for (const cancel of timers) cancel();
      timers.clear();
    },
  };
}
