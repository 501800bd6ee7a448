/**
 * A node with a field of every kind, which no built-in node has; added to the catalog like a
 * plugin's.
 */
import type { Page } from "playwright-core";

export const EVERY_KIND = {
  input: {
    required: {
      plain: ["INT", { default: 4, min: 0, max: 100, tooltip: "How many." }],
      slid: ["FLOAT", { default: 0.5, min: 0, max: 1, step: 0.05, display: "slider" }],
      turned: ["FLOAT", { default: 0.25, min: 0, max: 1, step: 0.05, display: "knob" }],
      noise_seed: ["INT", { default: 7, min: 0, max: 18446744073709551615n }],
      upright: ["BOOLEAN", { default: true, label_on: "standing", label_off: "lying" }],
      file: [["a/one.pt", "a/two.pt", "b/three.pt", "four.pt"], {}],
      several: [
        "COMBO",
        { options: ["red", "green", "blue"], multiselect: true, default: ["red"] },
      ],
      tint: ["COLOR", { default: "#336699" }],
      tone: ["CURVE", {}],
      region: ["BOUNDING_BOX", { default: { x: 64, y: 64, width: 256, height: 128 } }],
      prompt: ["STRING", { multiline: true, dynamicPrompts: true, default: "a cat" }],
      method: [
        "COMFY_DYNAMICCOMBO_V3",
        {
          options: [
            { key: "factor", inputs: { required: { by: ["FLOAT", { default: 2 }] } } },
            {
              key: "size",
              inputs: {
                required: { width: ["INT", { default: 512 }], height: ["INT", { default: 384 }] },
              },
            },
          ],
        },
      ],
    },
    optional: { calm: ["FLOAT", { default: 1, min: 0, max: 2, step: 0.1 }] },
  },
  output: ["IMAGE"],
  output_node: true,
  display_name: "Every kind",
  name: "EveryKind",
  description: "A field of every kind.",
};

/** Nodes for media other than pictures, which the demo server lacks. */
export const PLAYED = {
  input: { required: { audio: [["tone.wav"], { audio_upload: true }] } },
  output: ["AUDIO"],
  display_name: "Sound",
  name: "Sound",
};

/** Adds nodes to the server's catalog. */
export async function addToCatalog(page: Page, nodes: Record<string, unknown>): Promise<void> {
  await page.route("**/api/object_info", async (route) => {
    const answer = await route.fetch();
    const listed = (await answer.text()).replace(/\}\s*$/, "");
    const added = JSON.stringify(nodes, (_key, value: unknown) =>
      typeof value === "bigint" ? `${value}n` : value,
    ).replace(/"(\d+)n"/g, "$1");
    await route.fulfill({ response: answer, body: `${listed},${added.slice(1)}` });
  });
}
