/** English where a sentence is not its own key: the plurals. */
export const english: Readonly<Record<string, string>> = {
  "{{count}} nodes_one": "{{count}} node",
  "{{count}} nodes_other": "{{count}} nodes",
  "Reroute point of {{count}} wires of {{type}}_one": "Reroute point of {{count}} wire of {{type}}",
  "Reroute point of {{count}} wires of {{type}}_other":
    "Reroute point of {{count}} wires of {{type}}",
  "Portal {{name}}: to {{count}} inputs_one": "Portal {{name}}: to {{count}} input",
  "Portal {{name}}: to {{count}} inputs_other": "Portal {{name}}: to {{count}} inputs",
};
