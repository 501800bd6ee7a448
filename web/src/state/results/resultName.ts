/** The name of a tab that shows a result's workflow: what is on the picture, and its seed. */
import { t } from "../../words/words";
import type { Facts } from "./facts";

const MOST_WORDS = 4;
const ARTICLES = /^(a|an|the|ein|eine|einen|der|die|das)\s+/i;
/** Words that a name does not end in. */
const LOOSE = /\s+(a|an|the|on|in|at|of|with|and|by|to|under|over|for|from)$/i;

/** "Sailing boat, seed 7"; null for a result without a prompt. */
export function nameOfResult({ positive, seed }: Pick<Facts, "positive" | "seed">): string | null {
  const [part = ""] = (positive ?? "").split(/[,.;:!?\n]/).filter((each) => each.trim() !== "");
  const words = part
    .replace(/[()[\]{}]/g, " ")
    .trim()
    .replace(ARTICLES, "");
  let name = words.split(/\s+/).slice(0, MOST_WORDS).join(" ");
  while (LOOSE.test(name)) name = name.replace(LOOSE, "");
  if (name === "") return null;
  const subject = name.charAt(0).toUpperCase() + name.slice(1);
  return seed === null ? subject : t("{{subject}}, seed {{seed}}", { subject, seed });
}
