/**
 * What is said to the user when a document cannot be read or changed as asked. This room knows no
 * languages: the sentence goes up in English, as a key with its values, beside a message for logs.
 */
export class UserError extends Error {
  constructor(
    readonly sentence: string,
    readonly values: Readonly<Record<string, string | number>> = {},
  ) {
    super(sentence.replace(/\{\{(\w+)\}\}/g, (hole, name: string) => String(values[name] ?? hole)));
  }
}
