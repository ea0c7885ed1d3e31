/** Credentials of configuration nodes: as stored, from the environment, or as typed in a dialog. */
import type { NodeAPI } from 'node-red';
import { fillIn, type EnvLookup } from './config';
import { CodedError } from './errors';

export interface Login {
  user: string;
  password: string;
}

/** Names of environment variables that serve where no credentials are stored; imported flows never hold any. */
export interface LoginVariables {
  userEnv: string;
  passwordEnv: string;
}

/**
 * The credentials, or, where both are empty, what the named variables hold.
 * @param usual the variable of the password where only that of the user is named
 * @throws CodedError CREDENTIALS_MISSING, field user
 */
export function loginOf(stored: Login, { userEnv, passwordEnv }: LoginVariables, usual: string, env: EnvLookup): Login {
  const login: Login = { user: stored.user, password: stored.password };
  const passwordVariable = passwordEnv || usual;
  if (!login.user && !login.password && userEnv) {
    login.user = fillIn(`\${${userEnv}:-}`, env, 'userEnv');
    login.password = fillIn(`\${${passwordVariable}:-}`, env, 'passwordEnv');
  }
  if (login.user && login.password) return login;
  const variables = userEnv ? `, and the environment variables ${userEnv} and ${passwordVariable} are not set` : '';
  throw new CodedError('CREDENTIALS_MISSING', `user or password is empty${variables}`, { field: 'user' });
}

/** What the editor sends for a password that it has not been shown. */
const UNCHANGED = '__PWRD__';

/**
 * The credentials that a dialog's test is to use: what is typed there, or, where nothing was changed, what is stored for the node.
 * @param form what the dialog sent, with the node's `id`; @throws CodedError CONFIG_ENV_UNSET
 */
export function typedCredentials<Name extends string>(RED: NodeAPI, names: readonly Name[], form: Record<string, unknown>, env: EnvLookup): Record<Name, string> {
  const stored = ((typeof form.id === 'string' ? RED.nodes.getCredentials(form.id) : undefined) ?? {}) as Partial<Record<Name, string>>;
  return Object.fromEntries(
    names.map((name) => {
      const typed = form[name];
      return [name, fillIn(typeof typed === 'string' && typed !== UNCHANGED ? typed : (stored[name] ?? ''), env, name)];
    }),
  ) as Record<Name, string>;
}
