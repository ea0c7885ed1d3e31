/** What the log files need of the file system, as an interface so that tests can fill a disk without one. */
import { mkdir, open, rename, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { CodedError } from '../kit/errors';

/** Which file it is and how long, bytes. */
export interface FileFacts {
  /** Device and inode: two paths with the same identity are one file. */
  identity: string;
  size: number;
  isFile: boolean;
}

export interface LogFileHandle {
  /** Appends; may take fewer bytes than given, as the operating system does when the disk is nearly full. */
  write(bytes: Buffer, offset: number): Promise<number>;
  /** The byte at a position, or undefined past the end. */
  byteAt(position: number): Promise<number | undefined>;
  facts(): Promise<FileFacts>;
  close(): Promise<void>;
}

/** Rejects with Node's errors (`error.code` = ENOSPC, EACCES, …). */
export interface LogFileSystem {
  /** Opens for appending and creates the file, not its folder. */
  open(path: string): Promise<LogFileHandle>;
  /** Creates a folder and those above it. */
  makeFolder(path: string): Promise<void>;
  facts(path: string): Promise<FileFacts>;
  rename(from: string, to: string): Promise<void>;
}

// bigint: an inode number of NTFS does not fit a double.
const factsOf = (stats: BigIntStats): FileFacts => ({
  identity: `${String(stats.dev)}:${String(stats.ino)}`,
  size: Number(stats.size),
  isFile: stats.isFile(),
});

export const nodeFileSystem: LogFileSystem = {
  async open(path) {
    const handle = await open(path, 'a+');
    return {
      write: async (bytes, offset) => (await handle.write(bytes, offset)).bytesWritten,
      async byteAt(position) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, position);
        return bytesRead === 1 ? buffer[0] : undefined;
      },
      facts: async () => factsOf(await handle.stat({ bigint: true })),
      close: () => handle.close(),
    };
  },
  async makeFolder(path) {
    await mkdir(path, { recursive: true });
  },
  facts: async (path) => factsOf(await stat(path, { bigint: true })),
  rename,
};

export const errnoOf = (error: unknown): string | undefined => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
};

const WORDS = new Map([
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EACCES', 'this user may not write there'],
  ['EPERM', 'this user may not write there'],
  ['EROFS', 'the file system is read-only'],
  ['EISDIR', 'a folder of that name is in the way'],
  ['ENOTDIR', 'a file is in the way of its folder'],
  ['EEXIST', 'a file is in the way of its folder'],
  ['ENOTFILE', 'it is not a regular file'],
  ['ENOENT', 'its folder cannot be created'],
  ['EIO', 'the disk reports an error'],
  ['EMFILE', 'this process has too many open files'],
  ['ENFILE', 'this machine has too many open files'],
  ['ENAMETOOLONG', 'the name is too long'],
]);

/** FILE_UNWRITABLE in words, with the error of the operating system as its cause. */
export function unwritable(path: string, error: unknown): CodedError {
  const errno = errnoOf(error);
  const why = (errno === undefined ? undefined : WORDS.get(errno)) ?? (error instanceof Error ? error.message : String(error));
  const text = `${path} cannot be written: ${why}${errno === undefined ? '' : ` (${errno})`}`;
  return new CodedError('FILE_UNWRITABLE', text, { cause: error });
}
