/** A name with the letters that a search found. */

export function Marked({ text, marks }: { text: string; marks: readonly number[] }) {
  if (marks.length === 0) return text;
  const set = new Set(marks);
  return Array.from(text).map((letter, index) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: letters are identified by their index
    set.has(index) ? <b key={index}>{letter}</b> : letter,
  );
}
