/** User and password of a configuration node. */
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
