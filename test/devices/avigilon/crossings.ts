import { between, type Random } from '../seeded-random';
import { HOSTILE_NAMES, ZONES, type CountingRule, type Zone } from './counting-rules';
import { analyticPair, motionPair, userLogin } from './event-drafts';
import type { EventDraft } from './event-log';
import type { Camera, Site } from './site';

export interface CrossingOptions {
  site: Site;
  /** How many times a counting rule fires; each gives a START and a STOP. */
  count: number;
  /** All events lie in here, epoch ms; `to` is excluded. */
  from: number;
  to: number;
  random: Random;
  /** Default: all of the site. */
  cameras?: readonly Camera[];
  /** Ids; only their cameras. Default: all. */
  servers?: readonly string[];
  /** Share that happens in the same millisecond as the one before. Default 0.1. */
  burst?: number;
  /** Longest time between a START and its STOP. Default 4000. */
  longestMs?: number;
  /** Some events are written up to so much later than they happened. Default 0: none. */
  lateMs?: number;
  /** Share of the crossings that is late, if `lateMs` is not 0. Default 0.2. */
  lateShare?: number;
  /** Share with a name out of HOSTILE_NAMES, which counts nowhere. Default 0.02. */
  hostile?: number;
  /** Other events (motion, user logins) per crossing. Default 0.2. */
  noise?: number;
  /**
   * Lets more leave than came. Default false: a zone is never below 0 whatever is counted, STARTs or STOPs, in the order of time
   * or of writing, so that a floor at 0 makes no difference.
   */
  mayGoBelowZero?: boolean;
}

export interface ZoneTruth {
  entries: number;
  exits: number;
  /** In order of the STOPs' time, from 0 on, never below 0 at any step. */
  occupancy: number;
}

export interface Crossings {
  /** In the order of writing. */
  events: EventDraft[];
  truth: {
    zones: Record<Zone, ZoneTruth>;
    /** Rows that the pipeline writes to its history (facts A7, step 6). */
    history: number;
    /** Analytics STOPs, those with hostile names too. */
    stops: number;
  };
}

interface Crossing {
  start: EventDraft;
  stop: EventDraft;
  rule: CountingRule;
}

const writtenAt = ({ at, writtenAt: written = at }: EventDraft): number => written;

/** People and cars that cross, and what a right count of them gives. */
export function crossings(options: CrossingOptions): Crossings {
  const { site, count, random, servers } = options;
  const cameras = (options.cameras ?? site.cameras).filter(({ serverId }) => !servers || servers.includes(serverId));
  if (cameras.length === 0) throw new RangeError('no camera to cross at');
  const inside = new Presence();
  const all = times(options).map(({ start, stop }): Crossing => {
    const camera = cameras[between(random, 0, cameras.length - 1)]!;
    const rule = chooseRule(camera, options, (zone) => options.mayGoBelowZero === true || inside.canLeave(zone, start));
    const pair = analyticPair(camera, rule, { start, stop }, random);
    delay(pair, options);
    if (rule.effect) inside.note(rule.effect, writtenAt(pair[1]));
    return { start: pair[0], stop: pair[1], rule };
  });
  const events = [...all.flatMap(({ start, stop }) => [start, stop]), ...noise(cameras, Math.round(count * (options.noise ?? 0.2)), options)];
  events.sort((a, b) => writtenAt(a) - writtenAt(b));
  return { events, truth: truthOf(all) };
}

function times({ count, from, to, random, burst = 0.1, longestMs = 4000 }: CrossingOptions): { start: number; stop: number }[] {
  const starts = Array.from({ length: count }, () => between(random, from, to - 1)).sort((a, b) => a - b);
  let before: { start: number; stop: number } | undefined;
  return starts.map((time) => {
    const start = before && random() < burst ? before.start : Math.max(time, before?.start ?? time);
    const stop = before?.start === start ? before.stop : Math.min(start + between(random, 200, longestMs), to - 1);
    before = { start, stop };
    return before;
  });
}

function chooseRule(camera: Camera, { random, hostile = 0.02 }: CrossingOptions, canLeave: (zone: Zone) => boolean): CountingRule {
  if (random() < hostile) {
    const name = HOSTILE_NAMES[between(random, 0, HOSTILE_NAMES.length - 1)];
    return { name, activity: 'OBJECT_PRESENT', object: 'PERSON_BODY', history: false };
  }
  const rule = camera.rules[between(random, 0, camera.rules.length - 1)]!;
  const { effect } = rule;
  return effect?.change === -1 && !canLeave(effect.zone) ? camera.rules.find((other) => other.effect?.change !== -1)! : rule;
}

/** A STOP is never written before its START. */
function delay([start, stop]: [EventDraft, EventDraft], { random, lateMs = 0, lateShare = 0.2 }: CrossingOptions): void {
  if (lateMs === 0 || random() >= lateShare) return;
  start.writtenAt = start.at + between(random, 1, lateMs);
  stop.writtenAt = Math.max(stop.at + between(random, 1, lateMs), start.writtenAt);
}

function noise(cameras: readonly Camera[], count: number, { from, to, random, longestMs = 4000 }: CrossingOptions): EventDraft[] {
  return Array.from({ length: count }, () => {
    const camera = cameras[between(random, 0, cameras.length - 1)]!;
    const start = between(random, from, to - 1);
    if (random() < 0.1) return [userLogin(camera.serverId, start, random)];
    return motionPair(camera, { start, stop: Math.min(start + between(random, 200, longestMs), to - 1) }, random);
  }).flat();
}

/** Who may leave: those whose entry is over and written by then, each once. */
class Presence {
  private readonly zones = new Map<Zone, { ready: number; coming: number[] }>();

  canLeave(zone: Zone, at: number): boolean {
    const state = this.state(zone);
    const coming = state.coming.filter((time) => time >= at);
    state.ready += state.coming.length - coming.length;
    state.coming = coming;
    return state.ready > 0;
  }

  /** `over`: when the last event of the crossing is written. */
  note({ zone, change }: { zone: Zone; change: 1 | -1 }, over: number): void {
    const state = this.state(zone);
    if (change === 1) state.coming.push(over);
    else state.ready -= 1;
  }

  private state(zone: Zone): { ready: number; coming: number[] } {
    const state = this.zones.get(zone) ?? { ready: 0, coming: [] };
    this.zones.set(zone, state);
    return state;
  }
}

function truthOf(all: readonly Crossing[]): Crossings['truth'] {
  const zones = Object.fromEntries(ZONES.map((zone) => [zone, { entries: 0, exits: 0, occupancy: 0 }])) as Record<Zone, ZoneTruth>;
  for (const { rule } of [...all].sort((a, b) => a.stop.at - b.stop.at)) {
    if (!rule.effect) continue;
    const zone = zones[rule.effect.zone];
    zone[rule.effect.change === 1 ? 'entries' : 'exits'] += 1;
    zone.occupancy = Math.max(0, zone.occupancy + rule.effect.change);
  }
  return { zones, history: all.filter(({ rule }) => rule.history).length, stops: all.length };
}
