import "../../../scripts/app.js"; // a script for ComfyUI's page
