import { between, pick, type Random } from '../seeded-random';
import type { DahuaEvent } from './framing';
import { Scenes } from './scenes';

/** Time for the demonstration; the default is the machine's. */
export interface SceneClock {
  now(): number;
  /** As `setTimeout`, ms. */
  after(ms: number, run: () => void): { cancel(): void };
}

export interface DemoOptions {
  clock?: SceneClock;
  random?: Random;
  /** Channels in use, 0-based indexes below this. Default 1. */
  channels?: number;
  /** 2 doubles the pace. Default 1: some event every second or so. */
  pace?: number;
}

const realClock: SceneClock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** An event and how many ms after the one before. */
type Step = readonly [afterMs: number, make: () => DahuaEvent];

/**
 * Street life for a demonstration: people and cars come by, cross lines and areas, plates are read, a door contact opens, the
 * motion detector chatters. Goes on until the function it returns is called.
 */
export function demoScene(device: { emit(event: DahuaEvent): unknown }, options: DemoOptions = {}): () => void {
  const { clock = realClock, random = Math.random, channels = 1, pace = 1 } = options;
  const scenes = new Scenes({ clock, random, time: { localeTime: true, realUtc: true } });
  const timers = new Set<{ cancel(): void }>();
  const later = (ms: number, run: () => void): void => {
    const timer = clock.after(ms / pace, () => {
      timers.delete(timer);
      run();
    });
    timers.add(timer);
  };
  const play = ([step, ...rest]: readonly Step[]): void => {
    if (!step) return;
    later(step[0], () => {
      device.emit(step[1]());
      play(rest);
    });
  };
  const goOn = (): void => {
    const channel = between(random, 0, channels - 1);
    const happening = pick(random, [personPasses, personPasses, personPasses, carPasses, carPasses, wind, doorOpens, faceSeen]);
    play(happening(scenes, channel, random));
    later(between(random, 400, 2600), goOn);
  };
  const chatter = (): void => {
    device.emit(scenes.motionInfo(between(random, 0, channels - 1)));
    later(5000, chatter);
  };
  later(100, goOn);
  later(1000, chatter);
  return () => {
    for (const timer of timers) timer.cancel();
    timers.clear();
  };
}

function personPasses(scenes: Scenes, channel: number, random: Random): Step[] {
  const person = scenes.track('Human');
  return [
    [0, () => scenes.smartMotion('Human', 'Start', channel)],
    [between(random, 200, 900), () => scenes.crossRegion('Start', channel, person, 'Plaza')],
    [between(random, 100, 700), () => scenes.crossLine('Start', channel, person, 'Entrada')],
    [between(random, 500, 1500), () => scenes.crossLine('Stop', channel, person, 'Entrada')],
    [between(random, 300, 2000), () => scenes.crossRegion('Stop', channel, person, 'Plaza')],
    [200, () => scenes.smartMotion('Human', 'Stop', channel)],
  ];
}

function carPasses(scenes: Scenes, channel: number, random: Random): Step[] {
  const plate = scenes.plate();
  let read: DahuaEvent | undefined;
  return [
    [0, () => scenes.smartMotion('Vehicle', 'Start', channel)],
    [between(random, 200, 800), () => (read = scenes.trafficJunction(channel, plate))],
    [30, () => scenes.newFile(read ?? scenes.trafficJunction(channel, plate), plate)],
    [between(random, 400, 1500), () => scenes.smartMotion('Vehicle', 'Stop', channel)],
  ];
}

function wind(scenes: Scenes, channel: number, random: Random): Step[] {
  return [
    [0, () => scenes.motion('Start', channel)],
    [between(random, 800, 3000), () => scenes.motion('Stop', channel)],
  ];
}

function doorOpens(scenes: Scenes, _channel: number, random: Random): Step[] {
  return [
    [0, () => scenes.alarm('Start')],
    [between(random, 1000, 4000), () => scenes.alarm('Stop')],
  ];
}

function faceSeen(scenes: Scenes, channel: number): Step[] {
  return [[0, () => scenes.face(channel)]];
}
