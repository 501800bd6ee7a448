/** A node's description: paragraphs, and code between backticks. */

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
    // biome-ignore lint/suspicious/noArrayIndexKey: parts of a text are identified by their index
    index % 2 === 1 ? <code key={index}>{part}</code> : part,
  );
}
