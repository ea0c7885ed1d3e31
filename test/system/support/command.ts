import { spawn } from 'node:child_process';

/** Runs a command to its end; resolves with what it wrote to stdout, rejects with all it wrote when it failed. */
export function run(command: string, args: readonly string[], options: { cwd: string; env?: NodeJS.ProcessEnv }): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // npm is a .cmd file there, which only a shell can start.
      shell: process.platform === 'win32',
    });
    let out = '';
    let all = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
      all += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => (all += data.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ${args.join(' ')} in ${options.cwd} ended with ${code ?? 'a signal'}:\n${all}`));
    });
  });
}
