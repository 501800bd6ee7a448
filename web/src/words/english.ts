/** English plurals: all other English sentences are their own keys. */
export const english: Readonly<Record<string, string>> = {
  "{{count}} packs_one": "{{count}} pack",
  "{{count}} packs_other": "{{count}} packs",
  "{{count}} packs could not be loaded. The others are not affected._one":
    "{{count}} pack could not be loaded. The others are not affected.",
  "{{count}} packs could not be loaded. The others are not affected._other":
    "{{count}} packs could not be loaded. The others are not affected.",
  "{{count}} nodes_one": "{{count}} node",
  "{{count}} nodes_other": "{{count}} nodes",
  "Reroute point of {{count}} wires of {{type}}_one": "Reroute point of {{count}} wire of {{type}}",
  "Reroute point of {{count}} wires of {{type}}_other":
    "Reroute point of {{count}} wires of {{type}}",
  "Portal {{name}}: to {{count}} inputs_one": "Portal {{name}}: to {{count}} input",
  "Portal {{name}}: to {{count}} inputs_other": "Portal {{name}}: to {{count}} inputs",
  "Nothing has changed: all {{count}} nodes are cached_one":
    "Nothing has changed: the one node is cached",
  "Nothing has changed: all {{count}} nodes are cached_other":
    "Nothing has changed: all {{count}} nodes are cached",
  "{{count}} nodes will run_one": "{{count}} node will run",
  "{{count}} nodes will run_other": "{{count}} nodes will run",
  "{{run}} of {{count}} nodes will run, {{cached}} cached_one":
    "{{run}} of {{count}} nodes will run, {{cached}} cached",
  "{{run}} of {{count}} nodes will run, {{cached}} cached_other":
    "{{run}} of {{count}} nodes will run, {{cached}} cached",
  "Estimated from past runs on this machine; {{count}} nodes have not run yet._one":
    "Estimated from past runs on this machine; one node has not run yet.",
  "Estimated from past runs on this machine; {{count}} nodes have not run yet._other":
    "Estimated from past runs on this machine; {{count}} nodes have not run yet.",
  "{{count}} nodes have problems_one": "{{count}} node has a problem",
  "{{count}} nodes have problems_other": "{{count}} nodes have problems",
  "{{count}} nodes share this subgraph: a change inside applies to all of them._one":
    "Only this node uses this subgraph.",
  "{{count}} nodes share this subgraph: a change inside applies to all of them._other":
    "{{count}} nodes share this subgraph: a change inside applies to all of them.",
  "{{count}} nodes added_one": "{{count}} node added",
  "{{count}} nodes added_other": "{{count}} nodes added",
  "{{count}} nodes removed_one": "{{count}} node removed",
  "{{count}} nodes removed_other": "{{count}} nodes removed",
  "{{count}} nodes changed_one": "{{count}} node changed",
  "{{count}} nodes changed_other": "{{count}} nodes changed",
  "{{count}} workflows of a closed window are kept._one": "A workflow of a closed window is kept.",
  "{{count}} workflows of a closed window are kept._other":
    "{{count}} workflows of a closed window are kept.",
  "Another window has {{count}} workflows open. This window has its own._one":
    "Another window has a workflow open. This window has its own.",
  "Another window has {{count}} workflows open. This window has its own._other":
    "Another window has {{count}} workflows open. This window has its own.",
  "{{count}} pending_one": "{{count}} pending",
  "{{count}} pending_other": "{{count}} pending",
  "{{count}} results_one": "{{count}} result",
  "{{count}} results_other": "{{count}} results",
  "{{count}} files_one": "{{count}} file",
  "{{count}} files_other": "{{count}} files",
  "{{count}} runs_one": "{{count}} run",
  "{{count}} runs_other": "{{count}} runs",
  "{{count}} runs, about {{time}}_one": "{{count}} run, about {{time}}",
  "{{count}} runs, about {{time}}_other": "{{count}} runs, about {{time}}",
  "Queue {{count}} runs_one": "Queue {{count}} run",
  "Queue {{count}} runs_other": "Queue {{count}} runs",
  "{{count}} values_one": "{{count}} value",
  "{{count}} values_other": "{{count}} values",
  "{{count}} results deleted_one": "{{count}} result deleted",
  "{{count}} results deleted_other": "{{count}} results deleted",
  "{{count}} results removed_one": "{{count}} result removed",
  "{{count}} results removed_other": "{{count}} results removed",
  "{{count}} more pending runs are not listed._one": "{{count}} more pending run is not listed.",
  "{{count}} more pending runs are not listed._other":
    "{{count}} more pending runs are not listed.",
  "Remove {{count}} results?_one": "Remove this result?",
  "Remove {{count}} results?_other": "Remove {{count}} results?",
  "{{count}} points_one": "{{count}} point",
  "{{count}} points_other": "{{count}} points",
  "{{count}} boxes_one": "{{count}} box",
  "{{count}} boxes_other": "{{count}} boxes",
  "{{count}} changed_one": "{{count}} changed",
  "{{count}} changed_other": "{{count}} changed",
  "{{count}} similar names:_one": "{{count}} similar name:",
  "{{count}} similar names:_other": "{{count}} similar names:",
  "{{count}} nodes, muted_one": "{{count}} node, muted",
  "{{count}} nodes, muted_other": "{{count}} nodes, muted",
  "{{count}} more_one": "{{count}} more",
  "{{count}} more_other": "{{count}} more",
  "{{queued}} of {{count}} queued_one": "{{queued}} of {{count}} queued",
  "{{queued}} of {{count}} queued_other": "{{queued}} of {{count}} queued",
  "{{count}} runs are too many; the maximum is 1000._one":
    "{{count}} run is too many; the maximum is 1000.",
  "{{count}} runs are too many; the maximum is 1000._other":
    "{{count}} runs are too many; the maximum is 1000.",
  "{{count}} selected_one": "{{count}} selected",
  "{{count}} selected_other": "{{count}} selected",
  "{{count}} nodes are selected._one": "{{count}} node is selected.",
  "{{count}} nodes are selected._other": "{{count}} nodes are selected.",
  "Download {{count}} files_one": "Download {{count}} file",
  "Download {{count}} files_other": "Download {{count}} files",
  "{{count}} of its needs are here_one": "{{count}} of its needs is here",
  "{{count}} of its needs are here_other": "{{count}} of its needs are here",
  "{{count}} values inside subgraphs ran differently in their instances and were left._one":
    "{{count}} value inside a subgraph ran differently in its instances and was left.",
  "{{count}} values inside subgraphs ran differently in their instances and were left._other":
    "{{count}} values inside subgraphs ran differently in their instances and were left.",
  "{{count}} hosts are allowed_one": "{{count}} host is allowed",
  "{{count}} hosts are allowed_other": "{{count}} hosts are allowed",
  "and {{count}} more_one": "and {{count}} more",
  "and {{count}} more_other": "and {{count}} more",
  "{{name}}, {{place}} of {{count}}: move it with the arrow keys_one":
    "{{name}}, {{place}} of {{count}}: move it with the arrow keys",
  "{{name}}, {{place}} of {{count}}: move it with the arrow keys_other":
    "{{name}}, {{place}} of {{count}}: move it with the arrow keys",
  "{{count}} nodes have an id of their own now._one": "{{count}} node has an id of its own now.",
  "{{count}} nodes have an id of their own now._other":
    "{{count}} nodes have an id of their own now.",
  "{{count}} wires were reconnected._one": "{{count}} wire was reconnected.",
  "{{count}} wires were reconnected._other": "{{count}} wires were reconnected.",
  "{{count}} entries cannot be read; they stay in the file as they are._one":
    "{{count}} entry cannot be read; it stays in the file as it is.",
  "{{count}} entries cannot be read; they stay in the file as they are._other":
    "{{count}} entries cannot be read; they stay in the file as they are.",
};
