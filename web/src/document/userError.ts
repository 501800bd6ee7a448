/**
 * An error for the user: a document cannot be read or edited as requested. It holds the English
 * sentence as a key for translation, with its values; its message is for logs.
 */
export class UserError extends Error {
  constructor(
    readonly sentence: string,
    readonly values: Readonly<Record<string, string | number>> = {},
  ) {
    super(sentence.replace(/\{\{(\w+)\}\}/g, (hole, name: string) => String(values[name] ?? hole)));
  }
}
