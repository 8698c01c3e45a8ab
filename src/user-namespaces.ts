import { existsSync, readFileSync } from 'node:fs';

/** What to do where this system refuses user namespaces; none where nothing is known to be in the way. */
export function waysToAllowUserNamespaces(failure: string): string[] {
  const ways: string[] = [];
  if (setting('/proc/sys/user/max_user_namespaces') === '0') {
    ways.push('allow user namespaces: sudo sysctl -w user.max_user_namespaces=15000');
  }
  if (setting('/proc/sys/kernel/unprivileged_userns_clone') === '0') {
    ways.push('allow user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1');
  }
  if (setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') {
    ways.push('allow user namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0');
  }
  const inContainer = existsSync('/.dockerenv') || existsSync('/run/.containerenv');
  if (ways.length === 0 && (inContainer || /not permitted|permission denied/i.test(failure))) {
    ways.push(
      'in a container, start it with: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined ...',
    );
  }
  return ways;
}

function setting(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}
