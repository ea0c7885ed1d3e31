import type { Random } from '../seeded-random';

export type RequestFault =
  /** An error envelope, or an HTML page as a proxy in between sends it. */
  | { kind: 'status'; status: number; message?: string; html?: boolean }
  /** The session of the request ends; only requests with an open one are hit. */
  | { kind: 'sessionExpired' }
  /** No answer, ever. */
  | { kind: 'hang' }
  | { kind: 'reset' }
  | { kind: 'slow'; ms: number }
  /** The server's clock jumps, then the request is served. */
  | { kind: 'clockChange'; offsetMs: number }
  /** The server goes down under the request and comes back; sessions and continuation tokens are gone. */
  | { kind: 'restart'; downMs?: number }
  /** Anything: called before the request is served. */
  | { kind: 'run'; run: () => void };

/** Of successful searches; the last two only of CONTINUE. */
export type PageFault =
  /** No events, and a token that goes on at the same place. */
  | { kind: 'emptyPage' }
  /** The page before once more, and a token that goes on at the same place. */
  | { kind: 'repeatedPage' }
  /** The page begins with the last `events` (default 3) of the page before. */
  | { kind: 'overlap'; events?: number };

export type AnswerFault =
  /** The connection ends in the middle of the body. */
  | { kind: 'cut' }
  /** The body is complete for HTTP and half of the JSON. */
  | { kind: 'malformed' };

type Action = RequestFault | PageFault | AnswerFault;
export type FaultKind = Action['kind'];

export type Fault = Action & {
  /** `GET /events/search` and the like. Default: any. */
  route?: string;
  /** How many requests are hit. Default 1; Infinity until cancelled. */
  times?: number;
  /** That many matching requests go well first. Default 0. */
  skip?: number;
  /** Of each matching request to be hit, 0 to 1, from the server's random numbers. Default 1. */
  probability?: number;
};

export interface ArmedFault {
  /** Requests hit so far. */
  readonly hits: number;
  cancel(): void;
}

const STAGES = {
  request: ['status', 'sessionExpired', 'hang', 'reset', 'slow', 'clockChange', 'restart', 'run'],
  page: ['emptyPage', 'repeatedPage', 'overlap'],
  answer: ['cut', 'malformed'],
} as const;
interface ActionAt {
  request: RequestFault;
  page: PageFault;
  answer: AnswerFault;
}

/** Faults that wait for their requests. At most one of each stage hits a request: the one armed first. */
export class Faults {
  private readonly armed: { fault: Fault; hits: number; skipped: number }[] = [];

  constructor(private readonly random: Random) {}

  arm(fault: Fault): ArmedFault {
    const entry = { fault, hits: 0, skipped: 0 };
    this.armed.push(entry);
    return {
      get hits() {
        return entry.hits;
      },
      cancel: () => this.remove(entry),
    };
  }

  clear(): void {
    this.armed.length = 0;
  }

  /** The fault for this request at this stage, if `fits` has nothing against it. */
  take<Stage extends keyof ActionAt>(stage: Stage, route: string, fits: (kind: FaultKind) => boolean = () => true): ActionAt[Stage] | undefined {
    const kinds: readonly string[] = STAGES[stage];
    for (const entry of this.armed) {
      const { kind, route: only = route, skip = 0, probability = 1, times = 1 } = entry.fault;
      if (!kinds.includes(kind) || only !== route || !fits(kind)) continue;
      if (entry.skipped < skip) {
        entry.skipped += 1;
        continue;
      }
      if (probability < 1 && this.random() >= probability) continue;
      entry.hits += 1;
      if (entry.hits >= times) this.remove(entry);
      return entry.fault as ActionAt[Stage];
    }
    return undefined;
  }

  private remove(entry: (typeof this.armed)[number]): void {
    const index = this.armed.indexOf(entry);
    if (index !== -1) this.armed.splice(index, 1);
  }
}
