/**
 * Where the server's routes are, seen from the page: a reverse proxy may have put both below a path
 * of its own. So nothing here begins with a slash, and the browser counts from the page's address.
 */

export function routeUrl(route: string): string {
  return route.replace(/^\/+/, "");
}
