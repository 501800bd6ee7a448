/** What a node says of itself: paragraphs, and code between backticks. */

export function Description({ text }: { text: string }) {
  return text.split("\n\n").map(
    (each) =>
      each !== "" && (
        <p key={each}>
          <Line text={each} />
        </p>
      ),
  );
}

export function Line({ text }: { text: string }) {
  return text.split("`").map((part, index) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text have no other name
    index % 2 === 1 ? <code key={index}>{part}</code> : part,
  );
}
