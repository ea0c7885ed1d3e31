import type { LoginFailure } from '../digest-server';

export interface SeenAuthorization {
  scheme: string;
  nonce?: string;
  nc?: string;
  uri?: string;
}

export interface SeenRequest {
  /** Epoch ms on the device's clock. */
  at: number;
  method: string;
  target: string;
  /** 0: never answered (silent, hanging). */
  status: number;
}

/** What a device has seen since it was started. Lists keep the last 1000 entries. */
export class DahuaStats {
  connectionsOpened = 0;
  connectionsOpen = 0;
  requests = 0;
  /** 401 answers to requests without credentials or with a stale nonce. */
  challenges = 0;
  /** Requests turned away because of a limit. */
  refusedBusy = 0;
  streamsOpened = 0;
  streamsOpen = 0;
  /** Streams dropped because the client did not read. */
  streamsDropped = 0;
  bytesSent = 0;
  /** Events the device had, whether anybody listened or not. */
  eventsEmitted = 0;
  /** Events written, summed over the streams. */
  eventsSent = 0;
  heartbeatsSent = 0;
  readonly badLogins: { at: number; why: LoginFailure | 'locked' }[] = [];
  readonly authorizations: SeenAuthorization[] = [];
  readonly requestLog: SeenRequest[] = [];

  private readonly watchers = new Set<() => void>();

  /** Adds to one of the lists above and forgets the oldest entry beyond 1000. */
  static remember<T>(list: T[], entry: T): void {
    list.push(entry);
    if (list.length > 1000) list.shift();
  }

  /** To be called after a change; wakes those who wait in `until`. */
  changed(): void {
    for (const watch of this.watchers) watch();
  }

  /** Resolves as soon as `check` holds. The caller's test has the time limit. */
  until(check: (stats: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watch = (): void => {
        if (!check(this)) return;
        this.watchers.delete(watch);
        resolve();
      };
      this.watchers.add(watch);
      watch();
    });
  }
}
