/**
 * Follows a run outside of the nodes: the page's title, and the view where the user enabled this.
 */

import { percent } from "../../words/format";
import { t } from "../../words/words";
import { shareOf } from "../outcomes/plan";
import { runBeside, useRuns } from "../outcomes/runs";
import { canvas } from "../session/canvas";
import { setting } from "../session/settings";
import { activeTab, type Tab, useStudio } from "../session/studio";

const NAME = "Calotype";

/** Starts updating the title and the view during runs. Returns a function that ends it. */
export function watchRun(): () => void {
  let shown = "";
  let followed: string | null = null;
  const title = () => {
    const { connection } = useRuns.getState();
    const running = runBeside(useRuns.getState(), activeTab().id);
    const plan = running?.plan ?? null;
    const parts = [activeTab().name, NAME];
    if (connection === "closed") parts.unshift(t("Server not reachable"));
    else if (running !== null) {
      const share = plan === null ? 0 : Math.floor(shareOf(plan, running.shares) * 100);
      parts.unshift(plan === null ? t("Running") : percent(share / 100));
    }
    const text = parts.join(" · ");
    if (text !== shown) document.title = text;
    shown = text;
  };
  const follow = () => {
    const running = runBeside(useRuns.getState(), activeTab().id);
    const node = running?.node ?? null;
    if (node === followed) return;
    followed = node;
    if (node === null || !setting("calotype.follow") || running?.tab !== activeTab().id) return;
    const key = keyHere(activeTab(), node);
    if (key !== null) canvas()?.fit([key]);
  };
  title();
  const ends = [
    useRuns.subscribe(() => {
      title();
      follow();
    }),
    useStudio.subscribe(title),
  ];
  return () => {
    for (const end of ends) end();
    document.title = NAME;
  };
}

/** The node of the level shown that is running or contains the running node; null for none. */
function keyHere({ level }: Tab, id: string): string | null {
  const ids = id.split(":");
  if (level.some((key, depth) => ids[depth] !== key)) return null;
  return ids[level.length] ?? null;
}
