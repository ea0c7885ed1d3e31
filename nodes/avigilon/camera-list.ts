/** Which cameras a source reads: all, those chosen, or those of an allow-list file that may change while it runs. */
import { z } from 'zod';
import type { Clock } from '../kit/clock';
import { CodedError } from '../kit/errors';
import { WatchedFile } from '../kit/watched-file';

export interface CameraList {
  /** Camera ids; undefined for all. @throws CodedError FILE_UNREADABLE, FILE_INVALID while there has never been a good list */
  ids(): Promise<readonly string[] | undefined>;
  close(): void;
}

export const allCameras: CameraList = { ids: () => Promise.resolve(undefined), close: () => undefined };

export const chosenCameras = (ids: readonly string[]): CameraList => ({ ids: () => Promise.resolve(ids), close: () => undefined });

export interface AllowListOptions {
  path: string;
  clock: Clock;
  changed: (count: number) => void;
  broken: (error: CodedError) => void;
  recovered: () => void;
}

/** `ids_camaras_permitidas.json`: a flat JSON array of camera ids. While it is gone or wrong the last good list stays in force. */
export function allowListFile({ path, clock, changed, broken, recovered }: AllowListOptions): CameraList {
  const file = new WatchedFile({ path, clock, parse: parseIds, changed: (ids) => changed(ids.length), broken, recovered });
  return {
    async ids() {
      // Without any list nothing may pass; so wait for the first.
      if (!file.value) {
        const failure = await file.reload();
        if (failure) throw failure;
      }
      return file.value ?? [];
    },
    close: () => file.close(),
  };
}

const idList = z.array(z.string().trim().min(1));

/** @throws CodedError FILE_INVALID */
export function parseIds(text: string): readonly string[] {
  const parsed = idList.safeParse(JSON.parse(text));
  if (!parsed.success) throw new CodedError('FILE_INVALID', 'it must be a JSON array of camera ids, such as ["4xIx1DMw…", "4xIx1DMx…"]');
  return [...new Set(parsed.data)];
}
