/** The user's bookmarked classes of nodes, the first set first. */
import { changeSetting, setting } from "../session/settings";

export function isBookmarked(type: string): boolean {
  return setting("calotype.bookmarks").includes(type);
}

/** Sets a bookmark, or removes it. */
export function toggleBookmark(type: string): void {
  const all = setting("calotype.bookmarks");
  const others = all.filter((each) => each !== type);
  changeSetting("calotype.bookmarks", others.length < all.length ? others : [...all, type]);
}
