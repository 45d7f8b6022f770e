/** What dpkg knows of a package that is installed: its paragraph in /var/lib/dpkg/status. */

/** An installed package's paragraph, from the `control` file of its package. */
export function installed(control: string, conffiles: ReadonlyMap<string, string>): string {
  const [first = '', ...rest] = control.trim().split('\n');
  const own = [...conffiles].map(([path, md5]) => `\n ${path} ${md5}`).join('');
  const extra = [`Status: install ok installed`, ...(own === '' ? [] : [`Conffiles:${own}`])];
  // dpkg wants the name first; the order of the rest is free.
  return [first, ...extra, ...rest].join('\n');
}

/** A status file with a package's paragraph in the place of its former one. */
export function withPackage(status: string, name: string, paragraph: string): string {
  const others = status
    .split(/\n{2,}/)
    .map((text) => text.replace(/^\n+|\n+$/g, ''))
    .filter((text) => text !== '' && nameOf(text) !== name);
  return [...others, paragraph].map((text) => `${text}\n`).join('\n');
}

export function nameOf(paragraph: string): string | undefined {
  return /^Package: *(\S+)/m.exec(paragraph)?.[1];
}

/** Whether a status file has the package as installed, or as partly so. */
export function knows(status: string, name: string): boolean {
  return new RegExp(`^Package: *${name}$`, 'm').test(status);
}

/** `pitayad.list`: every file and folder of the package, folders before what is in them. */
export function listOf(paths: readonly string[]): string {
  const folders = paths.flatMap((path) => {
    const parts = path.split('/');
    return parts.slice(0, -1).map((_part, k) => parts.slice(0, k + 1).join('/'));
  });
  const all = [...new Set([...folders, ...paths])].sort();
  return ['/.', ...all.map((path) => `/${path}`)].map((line) => `${line}\n`).join('');
}
