/** The entry point: mounts the editor. */
import "@xyflow/react/dist/base.css";
import "./fonts/fonts.css";
import "./theme.css";
import "./widgets/widgets.css";
import "./widgets/popup.css";
import "./widgets/prompt.css";
import "./widgets/drawing.css";
import "./canvas/canvas.css";
import "./canvas/card.css";
import "./canvas/shown.css";
import "./panels/frame.css";
import "./panels/inspector.css";
import "./panels/dock.css";
import "./panels/overlays.css";
import { createRoot } from "react-dom/client";
import { App } from "./App";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element called root");
createRoot(root).render(<App />);
