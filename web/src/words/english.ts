/** English where a sentence is not its own key: the plurals. */
export const english: Readonly<Record<string, string>> = {
  "{{count}} nodes_one": "{{count}} node",
  "{{count}} nodes_other": "{{count}} nodes",
};
