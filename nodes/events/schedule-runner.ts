/** Follows a schedule through time and says when an event starts and stops, exact to the clock's own precision. */
import type { Clock } from '../kit/clock';
import type { EventWindow, Schedule } from './schedule';

/** The longest wait: a wall clock that was set, or a machine that slept, is noticed after it. A timer could not wait for 25 days. */
const RECHECK_MS = 30_000;

/** The callbacks must not throw: they run in a timer. In a node, wrap them with `kit.guard`. */
export interface RunnerOptions {
  clock: Clock;
  /** An event begins, is running already, or runs on with another beginning or end. */
  started: (event: EventWindow) => void;
  stopped: (event: EventWindow) => void;
  /** After any of these, and whenever there is another schedule or another event is next. */
  changed: (running: EventWindow | undefined, next: EventWindow | undefined) => void;
}

export class ScheduleRunner {
  readonly #options: RunnerOptions;
  #running: EventWindow | undefined;
  #next: EventWindow | undefined;
  #cancel: () => void = () => undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Follows this schedule from now on. */
  follow(schedule: Schedule): void {
    this.#check(schedule, true);
  }

  close(): void {
    this.#cancel();
  }

  #check(schedule: Schedule, isNew: boolean): void {
    const { clock, started, stopped, changed } = this.#options;
    this.#cancel();
    const now = clock.now();
    const before = this.#running;
    const running = schedule.current(now);
    const next = schedule.next(now);
    this.#running = running;
    const boundary = Math.min(running?.to ?? Infinity, next?.from ?? Infinity);
    this.#cancel = clock.after(Math.min(boundary - now, RECHECK_MS), () => this.#check(schedule, false));

    const other = !isSame(before, running);
    const otherNext = next !== this.#next;
    this.#next = next;
    if (before && !isSameEvent(before, running)) stopped(before);
    if (running && other) started(running);
    if (other || otherNext || isNew) changed(running, next);
  }
}

const isSameEvent = (a: EventWindow, b: EventWindow | undefined): boolean => a.name === b?.name && a.start === b.start;

const isSame = (a: EventWindow | undefined, b: EventWindow | undefined): boolean =>
  a === b || (a !== undefined && isSameEvent(a, b) && a.from === b?.from && a.to === b.to);
