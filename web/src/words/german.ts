/** German. Sentences that are missing here are shown in English. */
export const german: Readonly<Record<string, string>> = {
  "{{count}} nodes_one": "{{count}} Knoten",
  "{{count}} nodes_other": "{{count}} Knoten",
};
